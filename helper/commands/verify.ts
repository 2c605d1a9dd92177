export const verifyCommand = { usage: 'verify', run: async () => 0 }

// Stands in for utp-native: uTP measured 30 times slower than TCP and is never used (DESIGN section 9).
module.exports = {}

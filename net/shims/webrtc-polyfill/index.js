// Stands in for webrtc-polyfill, whose native build needs a download at install time. GitTorrent speaks TCP only.
export const RTCPeerConnection = undefined
export const RTCSessionDescription = undefined
export const RTCIceCandidate = undefined
export default {}

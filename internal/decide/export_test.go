package decide

// Decode is for the fuzzer.
var Decode = decode

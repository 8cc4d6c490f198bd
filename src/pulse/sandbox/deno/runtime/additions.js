export function additions() {}

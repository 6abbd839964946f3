// Texts that are IP addresses.

/** Whether a text is an IPv4 address as Envoy reads one. */
export function isIPv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

/** Whether a text is an IPv6 address, without brackets. */
export function isIPv6(text: string): boolean {
  if (!/^[\da-f:.]{2,45}$/i.test(text)) return false;
  const last = text.slice(text.lastIndexOf(":") + 1);
  if (last.includes(".") && !isIPv4(last)) return false;
  const halves = (last.includes(".") ? text.replace(last, "0:0") : text).split("::");
  const groups = halves.flatMap((half) => (half ? half.split(":") : []));
  if (groups.some((group) => !/^[\da-f]{1,4}$/i.test(group))) return false;
  return halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8;
}

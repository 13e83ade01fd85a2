/**
 * A colour for a nick in degrees, the same on every screen. Nicks that differ by a number only, as guest1 and guest2
 * do, are a golden angle apart, so that they never look alike.
 */
export function hue(nick) {
  const [, name, number] = /^(.*?)(\d{0,6})$/s.exec(nick);
  let hash = 0x811c9dc5; // FNV-1a
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b); // its low bits alone are alike for names that are
  return Math.round((((hash ^ (hash >>> 13)) >>> 0) % 360) + Number(number) * 137.508) % 360;
}

// UTF-8 to text and back. QuickJS is plain ECMAScript: it has neither
// TextDecoder nor TextEncoder.

/**
 * Decodes UTF-8, strictly: overlong forms, surrogates and cut-off sequences
 * are refused.
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 * @throws {RangeError} naming the offset of the first byte that is wrong
 */
export function decodeUtf8(bytes) {
  let text = "";
  let offset = 0;
  while (offset < bytes.length) {
    const first = bytes[offset];
    const length = sequenceLength(first);
    const last = offset + length;
    if (length === 0 || last > bytes.length) throw malformed(offset);

    let codePoint = length === 1 ? first : first & (0x7f >> length);
    for (let i = offset + 1; i < last; i++) {
      if ((bytes[i] & 0xc0) !== 0x80) throw malformed(i);
      codePoint = (codePoint << 6) | (bytes[i] & 0x3f);
    }
    const surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
    if (codePoint < SMALLEST[length] || codePoint > 0x10ffff || surrogate) {
      throw malformed(offset);
    }
    text += String.fromCodePoint(codePoint);
    offset = last;
  }
  return text;
}

/**
 * Encodes text as UTF-8. A lone surrogate becomes U+FFFD, as TextEncoder has
 * it.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encodeUtf8(text) {
  const bytes = [];
  for (const character of text.toWellFormed()) {
    const codePoint = character.codePointAt(0);
    if (codePoint < 0x80) {
      bytes.push(codePoint);
    } else if (codePoint < 0x800) {
      bytes.push(0xc0 | (codePoint >> 6), tail(codePoint));
    } else if (codePoint < 0x10000) {
      bytes.push(0xe0 | (codePoint >> 12), tail(codePoint >> 6), tail(codePoint));
    } else {
      bytes.push(
        0xf0 | (codePoint >> 18),
        tail(codePoint >> 12),
        tail(codePoint >> 6),
        tail(codePoint),
      );
    }
  }
  return new Uint8Array(bytes);
}

// The smallest code point that needs a sequence of this many bytes.
const SMALLEST = [0, 0, 0x80, 0x800, 0x10000];

// Bytes in the sequence that begins with `first`; 0 if none can.
function sequenceLength(first) {
  if (first < 0x80) return 1;
  if (first < 0xc0) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  if (first < 0xf8) return 4;
  return 0;
}

function tail(bits) {
  return 0x80 | (bits & 0x3f);
}

function malformed(offset) {
  return new RangeError(`not UTF-8 at byte ${offset}`);
}

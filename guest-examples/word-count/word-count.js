// Counts the words and lines of a text document.
//
// Input: UTF-8 under any `text/...` content type. Result: JSON such as
// {"words": 9, "lines": 2, "distinct": 7, "top": [{"word": "the", "count": 3}]}
// where `top` holds the ten most frequent words.

import log from "flowhost:engine/log@0.1.0";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const TOP_WORDS = 10;

// Letters and digits, joined inside by apostrophes and hyphens: "o'clock" and
// "well-known" are one word each.
const WORD = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;

export const attempt = {
  run(task) {
    const { contentType, data } = task.input;
    if (!contentType.toLowerCase().startsWith("text/")) {
      throw permanent("bad_content_type", `expected text/..., got "${contentType}"`);
    }
    const counted = count(read(data));
    log.log("info", `${counted.words} words in ${counted.lines} lines`);

    const completed = {
      contentType: "application/json",
      data: encodeUtf8(JSON.stringify(counted)),
    };
    return { tag: "completed", val: completed };
  },
};

function read(data) {
  try {
    return decodeUtf8(data);
  } catch (error) {
    throw permanent("bad_text", error.message);
  }
}

function count(text) {
  const words = text.toLowerCase().match(WORD) ?? [];
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);

  // Words of equal count stand in the order of the alphabet, so that the same
  // document always gives the same result.
  const top = [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, TOP_WORDS)
    .map(([word, count]) => ({ word, count }));
  return { words: words.length, lines: countLines(text), distinct: counts.size, top };
}

// A last line counts whether or not it is ended.
function countLines(text) {
  const ended = text.split("\n").length - 1;
  return text === "" || text.endsWith("\n") ? ended : ended + 1;
}

// What is thrown is the `err` of `run`; it has the fields of a `failure`. Any
// other error is a trap.
function permanent(code, message) {
  return { class: "permanent", code, message };
}

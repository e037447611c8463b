//! A story that never ends, word by word. The same subject gives the same
//! story, so that a handler that is called again finds its place by counting words.

const PLACES: &[&str] = &[
    "on the quay",
    "behind the sheds",
    "above the town",
    "in the fog",
    "at the pier",
    "under the crane",
    "beside the river",
    "near the old lock",
];
const DOERS: &[&str] = &[
    "the pilot",
    "a clerk",
    "the harbor master",
    "an old sailor",
    "the night watch",
    "a stranger",
    "the cook",
    "every gull",
];
const DEEDS: &[&str] = &[
    "wrote about",
    "asked for",
    "dreamed of",
    "waited for",
    "spoke about",
    "looked for",
    "remembered",
    "laughed about",
];
const ENDS: &[&str] = &[
    "until the tide turned",
    "as if it were new",
    "and kept silent about the rest",
    "while the lamps went out",
    "for the third time that week",
    "before anyone could ask",
    "because the letter had come",
    "and the bells answered",
];

/// The words of a story, each with the space or the mark that follows it.
pub struct Story {
    subject: String,
    state: u64,
    /// The words of the present sentence that are still to come, the last one first.
    rest: Vec<String>,
}

impl Story {
    /// Begins the story of a subject.
    pub fn of(subject: &str) -> Self {
        let fold = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self {
            subject: subject.to_owned(),
            state: subject.bytes().fold(0xcbf2_9ce4_8422_2325, fold),
            rest: Vec::new(),
        }
    }

    fn pick(&mut self, words: &'static [&'static str]) -> &'static str {
        // Constants of Knuth's MMIX generator; its high bits are good enough for a story.
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        words[(self.state >> 33) as usize % words.len()]
    }

    fn sentence(&mut self) -> String {
        let (doer, deed) = (self.pick(DOERS), self.pick(DEEDS));
        let (place, end) = (self.pick(PLACES), self.pick(ENDS));
        let sentence = format!("{place} {doer} {deed} {} {end}.", self.subject);
        let (first, others) = sentence.split_at(1);
        first.to_uppercase() + others
    }
}

impl Iterator for Story {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.rest.is_empty() {
            let sentence = self.sentence();
            let words = sentence.split_whitespace().rev();
            self.rest = words.map(|word| format!("{word} ")).collect();
        }
        self.rest.pop()
    }
}

//! How vocabularies of merges cut a text into words: the kinds that `tokenizer.ggml.pre` names.
//!
//! The patterns say what llama.cpp does. Where that differs from the pattern a model was trained with, so do
//! they: its Tekken and GPT-4o have no marks among letters and take every letter beyond ASCII for both cases.

/// One way of cutting, and what goes with it.
pub(super) struct Cut {
    /// The names that files give it.
    pub names: &'static [&'static str],
    /// Patterns that cut one after another.
    pub patterns: &'static [&'static str],
    /// Whether a word that is a token is taken whole, whatever the merges say.
    pub whole: bool,
    /// Whether a text begins with BOS where the file does not say.
    pub bos: bool,
    /// What the merges see.
    pub sees: Sees,
}

/// What the merges of a vocabulary see of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    /// Each byte as a letter.
    Bytes,
    /// Characters, `▁` for a space.
    Characters,
    /// The same; a run of newlines that is a token is taken whole, and texts begin with BOS whatever the file
    /// says.
    Gemma,
}

/// Contractions in any case; `(?i:'s)` would take `'ſ` too.
macro_rules! contraction {
    () => {
        "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    };
}

macro_rules! spaces {
    () => {
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    };
}

/// Contractions, and words with at most one character in front.
macro_rules! words {
    () => {
        concat!(contraction!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|")
    };
}

/// Other characters, with line ends behind.
macro_rules! others {
    () => {
        concat!(r"| ?[^\s\p{L}\p{N}]+[\r\n]*", spaces!())
    };
}

/// Other characters, with line ends and slashes behind.
macro_rules! slashes {
    () => {
        concat!(r"| ?[^\s\p{L}\p{N}]+[\r\n/]*", spaces!())
    };
}

/// Words of letters and marks with a contraction behind.
macro_rules! marked {
    () => {
        concat!(r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+", contraction!(), "?|")
    };
}

/// DeepSeek's third version: ASCII punctuation with letters behind, words with marks.
macro_rules! deepseek {
    () => {
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+"##
    };
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = concat!(words!(), r"\p{N}{1,3}", others!());
const QWEN2: &str = concat!(words!(), r"\p{N}", others!());
const QWEN35: &str = concat!(
    contraction!(),
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
    spaces!()
);
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*|\p{N}",
    slashes!()
);
const GPT4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+",
    contraction!(),
    r"?|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*",
    contraction!(),
    r"?|\p{N}{1,3}",
    slashes!()
);
const GRANITE_EMBED: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^a-z]]*[\p{L}\p{M}&&[^A-Z]]+",
    contraction!(),
    r"?|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^a-z]]+[\p{L}\p{M}&&[^A-Z]]*",
    contraction!(),
    r"?|\p{N}{1,3}",
    slashes!()
);
const DEEPSEEK: &str = concat!(deepseek!(), r"[\r\n]*", spaces!());
const LINES: &str = r"[^\n]+|\n+";
/// A number's groups of three, counted from its end; the text in front of a number goes with its first group.
const GROUPS: &str = r"[^\p{N}]*\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))";
const FINNISH: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
/// DeepSeek's; spaces within the range are none of it.
const CJK: &str = r"[一-龥ࠀ-一가-\u{D7FF}&&\S]+";
const HAN_AND_KANA: &str = r"[一-龥\u{3040}-ゟ゠-ヿ]+";
/// The Han characters of Kimi's pattern.
macro_rules! han {
    () => {
        r"\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2EBEF}\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}"
    };
}
/// Letters of scripts with cases, as DeepSeek's first tokenizer lists them.
const CASED: &str = concat!(
    r"\s?",
    r"[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛ",
    r"ὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ",
    r"-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
);

const PLAIN: Cut = Cut { names: &[], patterns: &[], whole: false, bos: false, sees: Sees::Bytes };

/// Every kind; a kind without marks of its own is what [`PLAIN`] says.
pub(super) const CUTS: &[Cut] = &[
    Cut {
        names: &["default"],
        patterns: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        ..PLAIN
    },
    Cut {
        names: &[
            "gpt-2",
            "olmo",
            "phi-2",
            "mpt",
            "jais",
            "trillion",
            "granite-docling",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "modern-bert",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v2-code",
            "jina-v1-en",
            "roberta-bpe",
        ],
        patterns: &[GPT2],
        ..PLAIN
    },
    Cut {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        patterns: &[r"\p{N}", GPT2],
        ..PLAIN
    },
    Cut {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        patterns: &[LLAMA3],
        whole: true,
        bos: true,
        ..PLAIN
    },
    Cut { names: &["dbrx", "smaug-bpe", "chatglm-bpe"], patterns: &[LLAMA3], ..PLAIN },
    Cut { names: &["glm4", "glm5"], patterns: &[LLAMA3], whole: true, ..PLAIN },
    Cut {
        names: &[
            "qwen2",
            "deepseek-r1-qwen",
            "stablelm2",
            "megrez",
            "hunyuan",
            "solar-open",
            "grok-2",
            "kormo",
            "f2llmv2",
        ],
        patterns: &[QWEN2],
        ..PLAIN
    },
    Cut { names: &["qwen35"], patterns: &[QWEN35], ..PLAIN },
    Cut { names: &["laguna"], patterns: &[LINES, QWEN2], ..PLAIN },
    Cut {
        names: &["ufakzeka"],
        patterns: &[concat!(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}", others!())],
        ..PLAIN
    },
    Cut {
        names: &["jais-2"],
        patterns: &[concat!(
            words!(),
            r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)",
            r"|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s"
        )],
        ..PLAIN
    },
    Cut {
        names: &["minicpm5"],
        patterns: &[r"\p{N}{1,3}", concat!(words!(), r"\p{N}+", others!())],
        whole: true,
        ..PLAIN
    },
    Cut {
        names: &["seed-coder"],
        patterns: &[concat!(words!(), r"\p{N}| ?[^\s\p{L}\p{N}\r\n]+", spaces!())],
        ..PLAIN
    },
    Cut {
        names: &["bailingmoe", "bailingmoe2", "llada-moe"],
        patterns: &[concat!(
            "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])",
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
        )],
        ..PLAIN
    },
    Cut {
        names: &["exaone-moe"],
        patterns: &[concat!(
            contraction!(),
            r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?",
            r"|\s*[\r\n]|\s+(?!\S)|\s+"
        )],
        ..PLAIN
    },
    Cut { names: &["tekken"], patterns: &[TEKKEN], whole: true, bos: true, ..PLAIN },
    Cut {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        patterns: &[GPT4O],
        ..PLAIN
    },
    Cut { names: &["granite-embed-multi-97m"], patterns: &[GRANITE_EMBED], whole: true, ..PLAIN },
    Cut {
        names: &["tiny_aya", "cohere2moe"],
        patterns: &[GROUPS, concat!(marked!(), r"\p{N}{1,3}", slashes!())],
        ..PLAIN
    },
    Cut {
        names: &["youtu"],
        patterns: &[
            r"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u{3040}-ゟ゠-ヿ]+",
            concat!(marked!(), r"\p{N}", slashes!()),
        ],
        whole: true,
        ..PLAIN
    },
    Cut {
        names: &["kimi-k2"],
        patterns: &[concat!(
            "[",
            han!(),
            r"]+|[^\r\n\p{L}\p{N}]?[\p{L}--[",
            han!(),
            "]]+",
            contraction!(),
            r"?|\p{N}{1,3}",
            others!()
        )],
        ..PLAIN
    },
    Cut {
        names: &["deepseek-llm"],
        patterns: &[r"[\r\n]", CASED, r"\s?[!-/:-~！-／：-～‘-‟、-。]+", r"\s+$", CJK, r"\p{N}+"],
        ..PLAIN
    },
    Cut {
        names: &["deepseek-coder"],
        patterns: &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, r"\p{N}"],
        ..PLAIN
    },
    Cut {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        patterns: &[r"\p{N}{1,3}", HAN_AND_KANA, DEEPSEEK],
        ..PLAIN
    },
    Cut {
        names: &["spark2_5"],
        patterns: &[
            r"\p{N}{1,3}",
            HAN_AND_KANA,
            concat!(deepseek!(), r"|[\r\n]|\s+(?!\S)|\s+"),
            r"\p{N}",
        ],
        ..PLAIN
    },
    Cut {
        names: &["afmoe"],
        patterns: &[
            GROUPS,
            r"[一-鿿㐀-䶿豈-\u{FAFF}\u{3040}-ゟ゠-ヿ･-\u{FF9F}⼀-\u{2FDF}เ-\u{E7F}\u{E80}-\u{EFF}ក-\u{17FF}က-႟ꩠ-ꩿꧠ-\u{A9FF}가-\u{D7AF}ᄀ-ᇿ]+",
            DEEPSEEK,
        ],
        ..PLAIN
    },
    Cut {
        names: &["falcon"],
        patterns: &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
        ..PLAIN
    },
    Cut { names: &["bloom", "poro-chat", "gpt3-finnish"], patterns: &[FINNISH], ..PLAIN },
    Cut { names: &["viking"], patterns: &[FINNISH, r"\p{N}"], ..PLAIN },
    Cut {
        names: &["chameleon"],
        patterns: &[
            "<sentinel:[0-9]+>",
            "IMGIMG[A-I]{1,4}Z",
            r"[\t\n]|    |  ",
            r"\p{N}",
            r"[\p{P}!-/:-@\[-`{-~]",
            GPT2,
        ],
        bos: true,
        ..PLAIN
    },
    Cut { names: &["superbpe"], patterns: &[r"\p{N}+", "(?=([0-9]{3})+(?![0-9]))"], ..PLAIN },
    Cut {
        names: &["gemma4", "granite-embed-multi-311m"],
        patterns: &[LINES],
        sees: Sees::Gemma,
        ..PLAIN
    },
    Cut { names: &["sarvam-moe"], patterns: &[LINES], sees: Sees::Characters, ..PLAIN },
];

/// The way of cutting that a file calls `name`.
pub(super) fn find(name: &str) -> Option<&'static Cut> {
    CUTS.iter().find(|cut| cut.names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_every_name_means_one_cut() {
        let mut names: Vec<_> = CUTS.iter().flat_map(|cut| cut.names).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        for cut in CUTS {
            for pattern in cut.patterns {
                let read = tokenizers::utils::SysRegex::new(pattern);
                assert!(read.is_ok(), "{:?}: {pattern}: {read:?}", cut.names);
            }
        }
    }
}

use candle_core::quantized::gguf_file::{self, Value as Meta};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fs::File, path::Path};

use super::Gguf;
use crate::{
    lm::{Incremental, LmError, Tokenizer},
    shared_data::skipped,
};

/// What `scripts/compare-tokenizers.py small` writes: made by llama.cpp as of llama-cpp-python 0.3.36.
#[derive(Deserialize)]
struct Small {
    texts: Vec<String>,
    vocabularies: HashMap<String, Listed>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Listed {
    tokens: Vec<String>,
    types: Vec<i32>,
    #[serde(default)]
    merges: Vec<String>,
    #[serde(default)]
    scores: Vec<f32>,
    decoded: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    model: String,
    pre: String,
    vocabulary: String,
    bos: bool,
    ids: Vec<Vec<u32>>,
}

fn small() -> Small {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers/llama_cpp.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A file of metadata only.
fn open(metadata: &[(&str, Meta)]) -> Result<Option<Tokenizer>, LmError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocabulary.gguf");
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &[]).unwrap();
    Gguf::open(&path)?.tokenizer()
}

fn list<T: Clone>(values: &[T], meta: impl Fn(T) -> Meta) -> Meta {
    Meta::Array(values.iter().cloned().map(meta).collect())
}

fn metadata(model: &str, pre: &str, listed: &Listed) -> Vec<(&'static str, Meta)> {
    let mut metadata = vec![
        ("tokenizer.ggml.model", Meta::String(model.into())),
        ("tokenizer.ggml.pre", Meta::String(pre.into())),
        ("tokenizer.ggml.tokens", list(&listed.tokens, Meta::String)),
        ("tokenizer.ggml.token_type", list(&listed.types, Meta::I32)),
        ("tokenizer.ggml.bos_token_id", Meta::U32(1)),
        ("tokenizer.ggml.eos_token_id", Meta::U32(1)),
    ];
    match listed.merges.is_empty() {
        true => metadata.push(("tokenizer.ggml.scores", list(&listed.scores, Meta::F32))),
        false => metadata.push(("tokenizer.ggml.merges", list(&listed.merges, Meta::String))),
    }
    metadata
}

#[test] // golden: llama.cpp (llama-cpp-python 0.3.36)
fn every_kind_of_vocabulary_gives_llama_cpps_ids() {
    let small = small();
    assert!(small.cases.len() > 30 && small.texts.len() > 40);
    for case in &small.cases {
        let listed = &small.vocabularies[&case.vocabulary];
        let tokenizer = open(&metadata(&case.model, &case.pre, listed)).unwrap().unwrap();
        let name = format!("{} {}", case.model, case.pre);
        for ((text, ids), decoded) in small.texts.iter().zip(&case.ids).zip(&listed.decoded) {
            assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{name}: {text:?}");
            let prompt = tokenizer.encode_prompt(text).unwrap();
            let first = prompt.first() == Some(&1) && !text.starts_with("<|endoftext|>");
            assert!(first == case.bos || text.starts_with("<|endoftext|>"), "{name}: {text:?}");
            let bytes = (0..decoded.len() / 2)
                .map(|i| u8::from_str_radix(&decoded[2 * i..2 * i + 2], 16).unwrap());
            let decoded = String::from_utf8(bytes.collect()).unwrap();
            // A space that the vocabulary puts in front is not the text's.
            let spaced = case.model == "llama";
            let decoded = decoded.strip_prefix(' ').filter(|_| spaced).unwrap_or(&decoded);
            assert_eq!(tokenizer.decode(ids), decoded, "{name}: {text:?}");
            let mut steps = Incremental::new(&tokenizer, &[]);
            ids.iter().for_each(|id| steps.push(*id));
            assert_eq!(steps.text(), decoded, "{name}: {text:?}");
        }
    }
}

#[test]
fn what_goes_around_a_text_is_the_files_word_or_its_kinds() {
    let small = small();
    let ids = |model: &str, pre: &str, more: &[(&'static str, Meta)]| {
        let vocabulary = if model == "gpt2" { "bytes" } else { "scores" };
        let mut metadata = metadata(model, pre, &small.vocabularies[vocabulary]);
        metadata.extend(more.iter().cloned());
        let tokenizer = open(&metadata).unwrap().unwrap();
        (tokenizer.encode_special("").unwrap(), tokenizer.encode_prompt("").unwrap())
    };
    let says = |name, flag| (name, Meta::Bool(flag));
    let (bos, eos) = ("tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token");
    assert_eq!(ids("gpt2", "qwen2", &[]), (vec![], vec![]));
    assert_eq!(ids("gpt2", "qwen2", &[says(bos, true)]), (vec![1], vec![1]));
    assert_eq!(ids("gpt2", "llama-bpe", &[]), (vec![1], vec![1]));
    assert_eq!(ids("gpt2", "llama-bpe", &[says(bos, false)]), (vec![], vec![]));
    assert_eq!(ids("llama", "default", &[]), (vec![1], vec![1]));
    assert_eq!(ids("llama", "default", &[says(bos, false)]), (vec![], vec![]));
    assert_eq!(ids("llama", "default", &[says(eos, true)]), (vec![1, 1], vec![1]));
    // A file that names no tokens has those of its kind: for SentencePiece 1 and 2.
    let mut metadata = metadata("llama", "default", &small.vocabularies["scores"]);
    metadata.retain(|(key, _)| !key.ends_with("_token_id"));
    let tokenizer = open(&metadata).unwrap().unwrap();
    assert_eq!((tokenizer.bos_id(), tokenizer.eos_id()), (Some(1), Some(2)));
    // One beyond the vocabulary counts as none.
    metadata.push(("tokenizer.ggml.bos_token_id", Meta::U32(1 << 20)));
    assert_eq!(open(&metadata).unwrap().unwrap().bos_id(), Some(1));
    metadata.push(("tokenizer.ggml.add_space_prefix", Meta::Bool(false)));
    let unspaced = open(&metadata).unwrap().unwrap();
    assert_eq!(unspaced.decode(&unspaced.encode("user").unwrap()), "user");
    assert_ne!(unspaced.encode("user").unwrap(), tokenizer.encode("user").unwrap());
    assert_ne!(unspaced.hash(), tokenizer.hash());
}

#[test]
fn a_kind_that_is_not_known_is_refused_by_name() {
    let small = small();
    let error = |model: &str, pre: &str, without: &str| {
        let mut metadata = metadata(model, pre, &small.vocabularies["bytes"]);
        metadata.retain(|(key, _)| *key != without);
        open(&metadata).err().expect(model).to_string()
    };
    let message = error("gpt2", "esperanto", "");
    assert!(
        message.contains(
            "the pre-tokenizer `esperanto` is not supported; supported are default, gpt-2,"
        )
    );
    assert!(message.contains("tekken") && message.lines().count() == 1, "{message}");
    let message = error("rwkv", "default", "");
    assert!(
        message.ends_with("kind `rwkv` are not supported; supported are gpt2, llama and gemma4"),
        "{message}"
    );
    let message = error("gpt2", "qwen2", "tokenizer.ggml.merges");
    assert!(message.contains("`tokenizer.ggml.merges` is missing"), "{message}");
    assert!(
        error("llama", "default", "")
            .contains("`tokenizer.ggml.scores` is not one number per token")
    );
    // Old files do not say how texts are cut: as `default`.
    let mut old = metadata("gpt2", "default", &small.vocabularies["bytes"]);
    let now = open(&old).unwrap().unwrap();
    old.retain(|(key, _)| *key != "tokenizer.ggml.pre");
    let old = open(&old).unwrap().unwrap();
    for text in &small.texts {
        assert_eq!(old.encode(text).unwrap(), now.encode(text).unwrap());
    }
}

#[test]
fn tokens_are_known_by_their_names_too() {
    let names = ["a", "</s>", "<|im_end|>", "<|fim_pad|>", "<|fim_prefix|>", "b"];
    let open = |names: &[&str], pad: Option<u32>| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut metadata = vec![
            ("tokenizer.ggml.model", Meta::String("gpt2".into())),
            ("tokenizer.ggml.tokens", list(&names, Meta::String)),
        ];
        metadata.extend(pad.map(|id| ("tokenizer.ggml.fim_pad_token_id", Meta::U32(id))));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocabulary.gguf");
        let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
        gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &[]).unwrap();
        Gguf::open(&path).unwrap()
    };
    assert_eq!(open(&names, None).ends().unwrap(), [3, 1, 2]);
    assert_eq!(open(&names, Some(5)).ends().unwrap(), [5, 1, 2]);
    use crate::lm::checkpoint::tokenizer::pieces::Role::{Control, Normal};
    let roles = open(&names, None).roles(&names).unwrap();
    assert_eq!(roles, [Normal, Control, Control, Control, Control, Normal]);
    // `<|end|>` ends a part of an answer where others end the whole; Gemma 4 has a `</s>` of HTML.
    let harmony = ["<|end|>", "<|return|>", "<|call|>"];
    assert_eq!(open(&harmony, None).ends().unwrap(), [1, 2]);
    assert_eq!(open(&["<|end|>", "<|return|>"], None).ends().unwrap(), [0, 1]);
    let gemma = ["</s>", "<|tool_response>"];
    assert_eq!(open(&gemma, None).ends().unwrap(), [1]);
    assert_eq!(open(&gemma, None).roles(&gemma).unwrap(), [Normal, Control]);
}

#[derive(Deserialize)]
struct Theirs {
    ids: Vec<Vec<u32>>,
    special: Vec<Vec<u32>>,
    bytes: Vec<String>,
    ends: Vec<u32>,
}

#[derive(Serialize, Default)]
struct Ours {
    ids: Vec<Vec<u32>>,
    special: Vec<Vec<u32>>,
    bytes: Vec<String>,
    ends: Vec<u32>,
}

#[test] // golden: llama.cpp, by `scripts/compare-tokenizers.py ids`, where LLMPR_GGUF_VOCABULARIES names a folder
fn vocabularies_of_files_give_llama_cpps_ids() {
    let test = "vocabularies_of_files_give_llama_cpps_ids";
    let Some(folder) = std::env::var_os("LLMPR_GGUF_VOCABULARIES") else {
        return skipped(test, "LLMPR_GGUF_VOCABULARIES names no folder");
    };
    let folder = Path::new(&folder);
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let texts: Vec<String> = serde_json::from_str(&read("texts.json").unwrap()).unwrap();
    let mut differ = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let file = Gguf::open(&path).unwrap();
        let Ok(theirs) = read(&format!("{name}.llama.json")) else { continue };
        let theirs: Theirs = serde_json::from_str(&theirs).unwrap();
        let tokenizer = match file.tokenizer() {
            Ok(tokenizer) => tokenizer.unwrap(),
            // Vocabularies of encoders are refused, in a sentence.
            Err(e) if e.to_string().contains("are not supported; supported are") => continue,
            Err(e) => panic!("{e}"),
        };
        let mut ours = Ours { ends: file.ends().unwrap(), ..Ours::default() };
        for text in &texts {
            ours.ids.push(tokenizer.encode(text).unwrap());
            ours.special.push(tokenizer.encode_special(text).unwrap());
        }
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (ids, bytes) in theirs.ids.iter().zip(&theirs.bytes) {
            let text = hex(&tokenizer.decode(ids));
            // The space in front is the vocabulary's.
            let spaced = bytes.strip_prefix("20").is_some_and(|rest| rest == text);
            ours.bytes.push(if spaced { format!("20{text}") } else { text });
        }
        let answers = serde_json::to_string(&ours).unwrap();
        std::fs::write(folder.join(format!("{name}.llmpr.json")), answers).unwrap();
        let mut ends = ours.ends.clone();
        ends.sort_unstable();
        let same =
            [ours.ids == theirs.ids, ours.special == theirs.special, ours.bytes == theirs.bytes];
        if !same.iter().all(|same| *same) || ends != theirs.ends {
            differ.push(format!("{name}: {same:?}, ends {ends:?} for {:?}", theirs.ends));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

//! What a model is read from: configuration, weights and their index, GGUF, tokenizers, chat templates.

use std::path::Path;

use indexmap::IndexMap;
use llmpr::{
    lm::{Checkpoint, Lm, ModelConfig, Tokenizer, Weights, engine::device::DtypeChoice},
    text::{
        chat::{ChatTemplate, Date, Ending},
        prompt::Message,
    },
};

use super::{
    features::{TENSOR_WORDS, headers, with_header},
    trial::{Form, Kind, folder, hostile},
};

/// Small checkpoints of every family, beside these tests.
fn checkpoints() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
    let mut all: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

const CONFIG_WORDS: [&str; 24] = [
    "model_type",
    "llama",
    "gpt2",
    "gemma3_text",
    "phi3",
    "mixtral",
    "gpt_oss",
    "llama4",
    "rope_scaling",
    "yarn",
    "longrope",
    "dynamic",
    "factor",
    "layer_types",
    "sliding_attention",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_size",
    "vocab_size",
    "num_hidden_layers",
    "gelu_pytorch_tanh",
    "text_config",
    "eos_token_id",
];

#[test]
fn configurations() {
    let files = checkpoints()
        .into_iter()
        .flat_map(|folder| ["config.json", "config_v4.json"].map(|name| folder.join(name)));
    let seeds = files.filter_map(|file| std::fs::read(file).ok()).collect();
    let kind = Kind {
        name: "config.json",
        seeds,
        form: Form::Json,
        words: &CONFIG_WORDS,
        ..Kind::default()
    };
    hostile(&kind, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let _ = ModelConfig::from_json(text, None);
        let _ = ModelConfig::from_json(r#"{"model_type": "gpt2"}"#, Some(text));
    });
}

/// A model whose configuration says something else than its weights.
#[test]
fn checkpoints_whose_configuration_is_another() {
    let dir = folder();
    let folders = checkpoints();
    for folder in &folders {
        let own = dir.path().join(folder.file_name().unwrap());
        std::fs::create_dir(&own).unwrap();
        std::fs::copy(folder.join("model.safetensors"), own.join("model.safetensors")).unwrap();
    }
    let seeds =
        folders.iter().map(|folder| std::fs::read(folder.join("config.json")).unwrap()).collect();
    let kind = Kind {
        name: "checkpoint",
        seeds,
        form: Form::Json,
        words: &CONFIG_WORDS,
        share: 10,
        ..Kind::default()
    };
    let mut turn = 0;
    hostile(&kind, |bytes| {
        // The seeds go first, each with its own weights; then any with any.
        let own = dir.path().join(folders[turn % folders.len()].file_name().unwrap());
        turn += 1;
        std::fs::write(own.join("config.json"), bytes).unwrap();
        if let Ok(checkpoint) = Checkpoint::open_folder(&own) {
            let _ = Lm::load(checkpoint, &candle_core::Device::Cpu, DtypeChoice::Auto);
        }
    });
}

fn read_all(weights: &Weights) {
    let all: Vec<(String, Vec<usize>)> =
        weights.list().map(|(name, shape, _)| (name.to_owned(), shape)).collect();
    for (name, shape) in all {
        let _ = weights.tensor(&name, &shape);
        if let [rows, columns] = shape[..] {
            let _ = weights.matrix(&name, [rows, columns], false);
            let _ = weights.matrix(&name, [columns, rows], true);
        }
    }
    let _ = (weights.parameters(), weights.stored_type(), weights.in_blocks());
}

#[test]
fn weights() {
    let dir = folder();
    let kind = Kind {
        name: "weights",
        seeds: headers(),
        form: Form::Json,
        words: &TENSOR_WORDS,
        pack: Some(&with_header),
        ..Kind::default()
    };
    hostile(&kind, |bytes| {
        std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
        if let Ok(weights) = Weights::open(dir.path()) {
            read_all(&weights);
        }
    });
}

#[test]
fn indices_of_shards_stay_in_their_folder() {
    let dir = folder();
    let folder = dir.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    let whole = with_header(&headers()[0]);
    for name in ["model/model-1.safetensors", "model/model-2.safetensors", "outside.safetensors"] {
        std::fs::write(dir.path().join(name), &whole).unwrap();
    }
    let outside = dir.path().join("outside.safetensors").display().to_string();
    let words = [
        "../outside.safetensors",
        &outside,
        "./model-1.safetensors",
        "model-2.safetensors",
        "weight_map",
        "..",
        ".",
    ];
    let seeds = [
        r#"{"metadata":{"total_size":8192},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#,
        r#"{"weight_map":{"a":"model-1.safetensors"}}"#,
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let kind = Kind { name: "index", seeds, form: Form::Json, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        std::fs::write(folder.join("model.safetensors.index.json"), bytes).unwrap();
        if let Ok(weights) = Weights::open(&folder) {
            let inside = |file: &std::path::PathBuf| {
                file.canonicalize().unwrap().parent() == Some(&*folder.canonicalize().unwrap())
            };
            assert!(weights.files().iter().all(inside), "{:?}", weights.files());
            read_all(&weights);
        }
    });
}

/// Writes GGUF: metadata as bytes of type and value, then tensors of f32.
struct Gguf(Vec<u8>, u64);

impl Gguf {
    fn key(&mut self, key: &str, kind: u32) {
        self.1 += 1;
        self.text(key);
        self.0.extend(kind.to_le_bytes());
    }
    fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
    }
    fn texts(&mut self, key: &str, all: &[&str]) {
        self.key(key, 9);
        self.0.extend(8u32.to_le_bytes());
        self.0.extend((all.len() as u64).to_le_bytes());
        all.iter().for_each(|text| self.text(text));
    }
    fn word(&mut self, key: &str, text: &str) {
        self.key(key, 8);
        self.text(text);
    }
    fn whole(&mut self, key: &str, n: u32) {
        self.key(key, 4);
        self.0.extend(n.to_le_bytes());
    }
    fn float(&mut self, key: &str, x: f32) {
        self.key(key, 6);
        self.0.extend(x.to_le_bytes());
    }
    fn numbers(&mut self, key: &str, kind: u32, all: impl ExactSizeIterator<Item = [u8; 4]>) {
        self.key(key, 9);
        self.0.extend(kind.to_le_bytes());
        self.0.extend((all.len() as u64).to_le_bytes());
        all.for_each(|number| self.0.extend(number));
    }
    fn file(self, tensors: &[(&str, &[u64], u32, usize)]) -> Vec<u8> {
        let Self(metadata, count) = self;
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend((tensors.len() as u64).to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(metadata);
        let mut offset = 0u64;
        let mut directory = Gguf(Vec::new(), 0);
        for (name, shape, kind, bytes) in tensors {
            directory.text(name);
            directory.0.extend((shape.len() as u32).to_le_bytes());
            shape.iter().for_each(|size| directory.0.extend(size.to_le_bytes()));
            directory.0.extend(kind.to_le_bytes());
            directory.0.extend(offset.to_le_bytes());
            offset += bytes.next_multiple_of(32) as u64;
        }
        file.extend(directory.0);
        file.resize(file.len().next_multiple_of(32), 0);
        file.resize(file.len() + offset as usize, 0x3c);
        file
    }
}

/// A file of a model with one layer and a vocabulary of `kind`.
fn gguf(kind: &str, pre: &str) -> Vec<u8> {
    let mut all = Gguf(Vec::new(), 0);
    all.word("general.architecture", "llama");
    for (key, n) in [
        ("context_length", 64),
        ("embedding_length", 32),
        ("block_count", 1),
        ("feed_forward_length", 32),
        ("attention.head_count", 2),
        ("vocab_size", 8),
    ] {
        all.whole(&format!("llama.{key}"), n);
    }
    all.float("llama.attention.layer_norm_rms_epsilon", 1e-5);
    all.word("tokenizer.ggml.model", kind);
    all.word("tokenizer.ggml.pre", pre);
    let tokens = ["<unk>", "<s>", "</s>", "\u{2581}a", "b", "ab", "Ġa", "<0x0A>"];
    all.texts("tokenizer.ggml.tokens", &tokens);
    all.numbers("tokenizer.ggml.scores", 6, (0..8).map(|i| (-(i as f32)).to_le_bytes()));
    all.numbers(
        "tokenizer.ggml.token_type",
        5,
        [2i32, 3, 3, 1, 1, 1, 1, 6].into_iter().map(i32::to_le_bytes),
    );
    all.texts("tokenizer.ggml.merges", &["a b", "Ġ a"]);
    all.whole("tokenizer.ggml.bos_token_id", 1);
    all.whole("tokenizer.ggml.eos_token_id", 2);
    all.word(
        "tokenizer.chat_template",
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
    );
    let blocks = |rows: usize| rows * 34;
    all.file(&[
        ("token_embd.weight", &[32, 8], 0, 1024),
        ("output_norm.weight", &[32], 0, 128),
        ("blk.0.attn_norm.weight", &[32], 0, 128),
        ("blk.0.attn_q.weight", &[32, 32], 8, blocks(32)),
        ("blk.0.attn_k.weight", &[32, 32], 1, 2048),
        ("blk.0.attn_v.weight", &[32, 32], 30, 2048),
        ("blk.0.attn_output.weight", &[32, 32], 2, 32 * 18),
        ("blk.0.ffn_norm.weight", &[32], 0, 128),
        ("blk.0.ffn_gate.weight", &[32, 32], 20, 32 * 18),
        ("blk.0.ffn_up.weight", &[32, 32], 6, 32 * 22),
        ("blk.0.ffn_down.weight", &[32, 32], 3, 32 * 20),
    ])
}

const GGUF_WORDS: [&str; 14] = [
    "general.alignment",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
    "llama",
    "gpt2",
    "bert",
    "t5",
    "gemma4",
    "qwen2",
    "gpt-oss",
    "token_embd.weight",
    "blk.0.attn_q.weight",
    "llama.rope.scaling.type",
    "llama.expert_count",
];

#[test]
fn gguf_files() {
    let dir = folder();
    let path = dir.path().join("x.gguf");
    let mut seeds = vec![
        gguf("llama", "default"),
        gguf("gpt2", "llama-bpe"),
        gguf("gpt2", "qwen2"),
        gguf("gemma4", "default"),
    ];
    let valid = seeds.len();
    // Others that a converter wrote.
    let small = checkpoints().into_iter().map(|folder| folder.join("model.gguf"));
    seeds.extend(
        small.filter_map(|file| std::fs::read(file).ok()).filter(|file| file.len() < 60_000),
    );
    assert!(seeds.len() > valid);
    for seed in &seeds[..3] {
        std::fs::write(&path, seed).unwrap();
        let checkpoint = Checkpoint::open_gguf(&path).unwrap();
        assert!(!checkpoint.tokenizer().unwrap().encode("a b").unwrap().is_empty());
        assert!(Lm::load(checkpoint, &candle_core::Device::Cpu, DtypeChoice::Auto).is_ok());
    }
    let kind = Kind { name: "gguf", seeds, words: &GGUF_WORDS, ..Kind::default() };
    hostile(&kind, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let Ok(checkpoint) = Checkpoint::open_gguf(&path) else { return };
        read_all(&checkpoint.weights);
        if let Some(tokenizer) = &checkpoint.tokenizer {
            use_tokenizer(tokenizer);
        }
    });
}

fn use_tokenizer(tokenizer: &Tokenizer) {
    for text in ["", "ab a b\n", "<s> über 12345 \u{301}\u{0}"] {
        if let Ok(ids) = tokenizer.encode(text) {
            let _ = (tokenizer.decode(&ids), tokenizer.decode_after(&ids, &ids));
        }
        let _ = (tokenizer.encode_special(text), tokenizer.encode_prompt(text));
    }
    let _ = tokenizer.decode(&[0, 1, 7, 4_000_000_000]);
    let _ = (tokenizer.token(3), tokenizer.id("ab"), tokenizer.vocab_size(), tokenizer.hash());
    if let Some(source) = tokenizer.chat_template() {
        use_template(source, &tokenizer.special_tokens);
    }
}

fn tokenizers() -> Vec<Vec<u8>> {
    let special = r#"[{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},{"id":1,"content":"</s>","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":true}]"#;
    let file = |normalizer: &str, pre: &str, post: &str, decoder: &str, model: &str| {
        format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":{special},"normalizer":{normalizer},"pre_tokenizer":{pre},"post_processor":{post},"decoder":{decoder},"model":{model}}}"#
        )
        .into_bytes()
    };
    let template = r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}}"#;
    let byte_level =
        r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
    let bpe = r#"{"type":"BPE","dropout":null,"unk_token":"<s>","continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":true,"ignore_merges":false,"vocab":{"<s>":0,"</s>":1,"a":2,"b":3,"ab":4,"Ġ":5,"Ġa":6,"<0x0A>":7},"merges":[["a","b"],["Ġ","a"]]}"#;
    let old_bpe =
        r#"{"type":"BPE","vocab":{"<s>":0,"</s>":1,"a":2,"b":3,"ab":4},"merges":["a b"]}"#;
    let unigram = r#"{"type":"Unigram","unk_id":0,"byte_fallback":false,"vocab":[["<s>",0.0],["</s>",0.0],["▁a",-1.5],["b",-2.0],["▁",-3.0],["a",-2.5]]}"#;
    let wordpiece = r###"{"type":"WordPiece","unk_token":"<s>","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"<s>":0,"</s>":1,"a":2,"##b":3,"ab":4}}"###;
    let words = r#"{"type":"WordLevel","unk_token":"<s>","vocab":{"<s>":0,"</s>":1,"a":2,"b":3}}"#;
    let split = r#"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}|(?i:'s|'t)|[^\\s]+|\\s+(?!\\S)"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}"#;
    let normal = r#"{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"String":" "},"content":"▁"},{"type":"Prepend","prepend":"▁"},{"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true}]}"#;
    let decoders = r#"{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"#;
    let meta = r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"#;
    let bert = r#"{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"#;
    vec![
        file("null", byte_level, template, byte_level, bpe),
        file("null", split, "null", byte_level, old_bpe),
        file(normal, "null", template, decoders, bpe),
        file("null", meta, "null", meta, unigram),
        file(
            bert,
            r#"{"type":"BertPreTokenizer"}"#,
            r#"{"type":"BertProcessing","sep":["</s>",1],"cls":["<s>",0]}"#,
            r###"{"type":"WordPiece","prefix":"##","cleanup":true}"###,
            wordpiece,
        ),
        file(
            "null",
            r#"{"type":"Whitespace"}"#,
            r#"{"type":"RobertaProcessing","sep":["</s>",1],"cls":["<s>",0],"trim_offsets":true,"add_prefix_space":false}"#,
            "null",
            words,
        ),
        file(
            r#"{"type":"Precompiled","precompiled_charsmap":"AAAAAA=="}"#,
            r#"{"type":"Digits","individual_digits":true}"#,
            byte_level,
            r#"{"type":"BPEDecoder","suffix":"</w>"}"#,
            bpe,
        ),
        file(
            "null",
            r#"{"type":"Punctuation","behavior":"MergedWithNext"}"#,
            "null",
            r#"{"type":"CTC","pad_token":"<s>","word_delimiter_token":"|","cleanup":true}"#,
            unigram,
        ),
    ]
}

const TOKENIZER_WORDS: [&str; 30] = [
    "type",
    "BPE",
    "Unigram",
    "WordPiece",
    "WordLevel",
    "ByteLevel",
    "Metaspace",
    "Sequence",
    "Split",
    "Regex",
    "String",
    "(a+)+$",
    "\\p{",
    "(?=",
    "[",
    "((((((((((a){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}",
    "(?:a{1,60000}){1,60000}",
    "Removed",
    "Contiguous",
    "<s>",
    "ab",
    "merges",
    "vocab",
    "added_tokens",
    "content",
    "Precompiled",
    "precompiled_charsmap",
    "TemplateProcessing",
    "padding",
    "truncation",
];

#[test]
fn tokenizers_of_hugging_face() {
    let dir = folder();
    let seeds = tokenizers();
    let mut valid = 0;
    for seed in &seeds {
        std::fs::write(dir.path().join("tokenizer.json"), seed).unwrap();
        valid += usize::from(Tokenizer::open(dir.path()).is_ok());
    }
    assert!(valid + 1 >= seeds.len(), "{valid} of {} can be read", seeds.len());
    let kind = Kind {
        name: "tokenizer.json",
        seeds,
        form: Form::Json,
        words: &TOKENIZER_WORDS,
        ..Kind::default()
    };
    hostile(&kind, |bytes| {
        std::fs::write(dir.path().join("tokenizer.json"), bytes).unwrap();
        if let Ok(Some(tokenizer)) = Tokenizer::open(dir.path()) {
            use_tokenizer(&tokenizer);
        }
    });
}

#[test]
fn what_lies_beside_a_tokenizer() {
    let dir = folder();
    std::fs::write(dir.path().join("tokenizer.json"), &tokenizers()[0]).unwrap();
    let seeds = [
        r#"{"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false},"add_bos_token":true,"chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}"#,
        r#"{"chat_template":[{"name":"default","template":"{{ bos_token }}"},{"name":"tool_use","template":"x"}],"added_tokens_decoder":{"0":{"content":"<s>"}},"extra_special_tokens":{"image_token":"a"}}"#,
        r#"{"bos_token":"<s>","additional_special_tokens":["a","b"],"pad_token":null}"#,
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let words = [
        "bos_token",
        "eos_token",
        "chat_template",
        "name",
        "template",
        "default",
        "content",
        "<s>",
        "{{ messages }}",
    ];
    let kind = Kind {
        name: "tokenizer_config.json",
        seeds,
        form: Form::Json,
        words: &words,
        ..Kind::default()
    };
    let names = [
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.json",
        "chat_template.jinja",
    ];
    let mut turn = 0;
    hostile(&kind, |bytes| {
        turn += 1;
        let path = dir.path().join(names[turn % names.len()]);
        std::fs::write(&path, bytes).unwrap();
        if let Ok(Some(tokenizer)) = Tokenizer::open(dir.path()) {
            use_tokenizer(&tokenizer);
        }
        std::fs::remove_file(path).unwrap();
    });
}

fn use_template(source: &str, special: &IndexMap<String, String>) {
    let Ok(template) = ChatTemplate::new(source, special) else { return };
    let turns =
        [Message::system("Be brief."), Message::user("a {{ b }} %"), Message::assistant("once")];
    for ending in [Ending::Answer, Ending::Open] {
        let _ = template.render(&turns, ending, Date { year: 2024, month: 7, day: 26 });
    }
}

fn templates() -> Vec<Vec<u8>> {
    [
        "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}{{ '<|' + message.role + '|>' ~ message['content'] | trim }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
        "{%- set ns = namespace(found=false, text='') -%}{%- for m in messages[1:] -%}{%- if m.role == 'system' -%}{%- set ns.found = true -%}{%- endif -%}{% set ns.text = ns.text + m.content %}{%- endfor -%}{{ ns.text | upper | replace('A', 'b') }}{{ strftime_now('%d %b %Y') }}",
        "{% macro turn(m, n=1) %}<{{ m.role }}>{{ m.content * n }}{% endmacro %}{% for m in messages %}{{ turn(m, 2) }}{% else %}none{% endfor %}{{ messages | tojson(indent=2) }}{{ messages | length }}",
        "{% if tools is defined and tools is not none %}{{ tools | tojson }}{% endif %}{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('\n') }}{{ range(3) | list }}{{ 'a-b'.split('-')[0] }}{{ '%s=%05d' | format('x', 3) }}",
        "{%- for m in messages | reverse %}{{ m.content[:-1] }}{{ m.content.strip().startswith('a') }}{{ m.get('x', 'y') }}{{ m.items() | list }}{%- endfor %}{% filter lower %}ABC{% endfilter %}{{ 7 // 2 ** 3 % 5 }}{{ 'x'.center(40) }}{{ 'y'.ljust(9, '*') }}",
        "{% set s = 'ab' %}{% for i in range(4) %}{% set s = s ~ s %}{{ s }}{% endfor %}{% generation %}{{ messages[-1]['content'] }}{% endgeneration %}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

const TEMPLATE_WORDS: [&str; 40] = [
    "{% for i in range(99999) %}",
    "{% endfor %}",
    "{% if x %}",
    "{% endif %}",
    "{{ messages }}",
    "range(",
    "99999",
    "namespace(",
    "loop.index",
    " * ",
    " ** ",
    " ~ ",
    " | ",
    "tojson",
    "indent=",
    "join",
    "replace('', 'x')",
    "format",
    "'%999999999d'",
    "center(",
    "ljust(999999999)",
    "zfill(",
    "splitlines()",
    "[::-1]",
    "[::0]",
    "[-9999999999:]",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set s = s ~ s %}",
    "{% set ns.text = ns.text + ns.text %}",
    "strftime_now('%Y%c%!')",
    "caller()",
    "recursive",
    "{% include 'chat' %}",
    "{% extends 'chat' %}",
    "{% block a %}{% endblock %}",
    "1e308",
    "messages[0].content",
    "| list",
    "| sort",
    "| batch(0)",
];

#[test]
fn chat_templates() {
    let special = IndexMap::from([("bos_token".to_owned(), "<s>".to_owned())]);
    let kind = Kind {
        name: "template",
        seeds: templates(),
        words: &TEMPLATE_WORDS,
        // A string of 16 MiB may stand in another several times.
        spare: 448 << 20,
        ..Kind::default()
    };
    hostile(&kind, |bytes| use_template(&String::from_utf8_lossy(bytes), &special));
}

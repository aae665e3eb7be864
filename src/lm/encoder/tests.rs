use candle_core::Tensor;

use super::*;

/// Words of the toy vocabulary, behind `[PAD] [UNK] [CLS] [SEP]`.
const WORDS: [&str; 4] = ["a", "b", "c", "d"];

/// Writes a random encoder, 8 wide with 2 layers and 16 positions, and what stands around it.
pub(crate) fn write(folder: &Path, pooling: &str, max_tokens: usize) {
    write_network(folder, "gelu");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file(
        "modules.json",
        r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#,
    );
    file("1_Pooling/config.json", &format!(r#"{{"pooling_mode_{pooling}": true}}"#));
    file("sentence_bert_config.json", &format!(r#"{{"max_seq_length": {max_tokens}}}"#));
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].into_iter().chain(WORDS);
    let vocab: Vec<String> =
        words.enumerate().map(|(id, word)| format!("\"{word}\": {id}")).collect();
    file(
        "tokenizer.json",
        &format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {{"type": "Whitespace"}}, "decoder": null,
        "post_processor": {{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}},
        "model": {{"type": "WordLevel", "unk_token": "[UNK]", "vocab": {{{}}}}}}}"#,
            vocab.join(",")
        ),
    );
}

/// Writes config.json and random weights of such a network.
fn write_network(folder: &Path, activation: &str) {
    let config = format!(
        r#"{{"model_type": "bert", "vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "{activation}",
        "hidden_dropout_prob": 0.1, "max_position_embeddings": 16, "type_vocab_size": 2,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0}}"#
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config).unwrap();
    let mut state = 7u32;
    let mut draw = |shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product::<usize>())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    let mut tensors = HashMap::new();
    for (name, shape) in [
        ("word_embeddings.weight", [8, 8]),
        ("position_embeddings.weight", [16, 8]),
        ("token_type_embeddings.weight", [2, 8]),
    ] {
        tensors.insert(format!("embeddings.{name}"), draw(&shape));
    }
    let mut linear = |name: String, out: usize, into: usize| {
        tensors.insert(format!("{name}.weight"), draw(&[out, into]));
        tensors.insert(format!("{name}.bias"), draw(&[out]));
    };
    for layer in 0..2 {
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            linear(format!("encoder.layer.{layer}.attention.{part}"), 8, 8);
        }
        linear(format!("encoder.layer.{layer}.intermediate.dense"), 16, 8);
        linear(format!("encoder.layer.{layer}.output.dense"), 8, 16);
    }
    for norm in [
        "embeddings",
        "encoder.layer.0.attention.output",
        "encoder.layer.0.output",
        "encoder.layer.1.attention.output",
        "encoder.layer.1.output",
    ] {
        tensors.insert(format!("{norm}.LayerNorm.gamma"), draw(&[8]));
        tensors.insert(format!("{norm}.LayerNorm.beta"), draw(&[8]));
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

fn open(folder: &Path) -> Result<SentenceEncoder, LmError> {
    SentenceEncoder::open(folder, "toy", &Device::Cpu, 1024)
}

fn embed(encoder: &SentenceEncoder, texts: &[&str]) -> Matrix {
    let ids: Vec<_> = texts.iter().map(|text| encoder.ids(text).unwrap()).collect();
    encoder.embed_ids(&ids, &Interrupt::default(), &mut |_, _| {}).unwrap()
}

#[test]
fn a_vector_depends_on_its_own_text_only_and_has_length_one() {
    let folder = tempfile::tempdir().unwrap();
    for pooling in ["mean_tokens", "cls_token", "max_tokens"] {
        write(folder.path(), pooling, 12);
        assert!(is_encoder(folder.path()));
        let encoder = open(folder.path()).unwrap();
        let texts = ["a b c", "", "d d d d d d d", "a b c", "c b a"];
        let together = embed(&encoder, &texts);
        for (i, text) in texts.iter().enumerate() {
            assert_eq!(together.row(i), embed(&encoder, &[text]).row(0), "{pooling}: {text}");
            let norm: f32 = together.row(i).iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        }
        assert_ne!(together.row(0), together.row(4), "{pooling}: the order of words counts");
    }
}

/// The network as the CPU's kernels and as the tensor library compute it.
fn both(folder: &Path) -> [(&'static str, Network); 2] {
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let config: BertConfig = serde_json::from_str(&config).unwrap();
    let weights = Weights::open(folder).unwrap();
    let tensors = variables(&weights, &Device::Cpu).unwrap();
    [
        ("kernels", Network::new(&config, &weights, &Device::Cpu).unwrap()),
        ("tensors", Network::Device(Bert::new(&config, &tensors).unwrap())),
    ]
}

#[test]
fn kernels_and_tensors_give_a_text_of_any_length_the_same_states() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mean_tokens", 16);
    let [(_, kernels), (_, tensors)] = both(folder.path());
    for tokens in 1..=16 {
        let ids: Vec<u32> = (0..tokens).map(|i| (3 * i + i / 5) % 8).collect();
        let (got, want) = (kernels.states(&ids).unwrap(), tensors.states(&ids).unwrap());
        assert_eq!(got.len(), want.len());
        let off = got.iter().zip(&want).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(off < 2e-6, "{tokens} tokens: off by {off}");
    }
}

#[test] // golden: the last token's state by candle-transformers 0.11.1, off by the order of products alone
fn hidden_states_are_those_of_candle_transformers() {
    let folder = tempfile::tempdir().unwrap();
    for (activation, expected) in [
        (
            "gelu",
            [
                0.29460293f32,
                -0.13315545,
                -0.46051556,
                -0.22889641,
                -0.30084258,
                -0.17009206,
                0.3127314,
                0.7426189,
            ],
        ),
        (
            "geluapproximate",
            [
                0.29461205,
                -0.13313855,
                -0.4605143,
                -0.2288818,
                -0.30084187,
                -0.17011148,
                0.31274146,
                0.7425734,
            ],
        ),
        (
            "relu",
            [
                0.27052948,
                -0.15303342,
                -0.45779642,
                -0.28500828,
                -0.31657162,
                -0.16865753,
                0.28743237,
                0.96613914,
            ],
        ),
    ] {
        write(folder.path(), "mean_tokens", 12);
        write_network(folder.path(), activation);
        for (place, network) in both(folder.path()) {
            let states = network.states(&[2, 4, 5, 6, 3]).unwrap();
            let last = &states[4 * 8..];
            let off = last.iter().zip(expected).map(|(x, e)| (x - e).abs()).fold(0.0, f32::max);
            assert!(off < 1e-6, "{activation}, {place}: {last:?}");
        }
    }
}

#[test]
fn progress_is_heard_before_the_first_text_and_as_they_go_by() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mean_tokens", 12);
    let encoder = open(folder.path()).unwrap();
    // Words in every order: each text is another.
    let word = |i: usize, place: u32| WORDS[i / 4usize.pow(place) % 4];
    let texts: Vec<String> = (0..200)
        .map(|i| (0..4).map(|place| word(i, place)).collect::<Vec<_>>().join(" "))
        .collect();
    let ids: Vec<_> = texts.iter().map(|text| encoder.ids(text).unwrap()).collect();
    let mut heard = Vec::new();
    let mut hear = |done, all| heard.push((done, all));
    encoder.embed_ids(&ids, &Interrupt::default(), &mut hear).unwrap();
    assert_eq!((heard[0], heard[heard.len() - 1]), ((0, 1200), (1200, 1200)));
    let most = 6 * 4 * rayon::current_num_threads();
    assert!(heard.windows(2).all(|two| two[1].0 - two[0].0 <= most), "{heard:?}");
}

#[test]
fn texts_are_cut_inside_their_frame() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mean_tokens", 5);
    let encoder = open(folder.path()).unwrap();
    assert_eq!(encoder.ids("a b c d a b").unwrap(), [2, 4, 5, 6, 3]);
    assert_eq!(encoder.ids("").unwrap(), [2, 3]);
    let long = [vec![2, 4, 5, 6, 7, 3]];
    assert!(encoder.embed_ids(&long, &Interrupt::default(), &mut |_, _| {}).is_err());
    let unknown = [vec![2, 99, 3]];
    let error = encoder.embed_ids(&unknown, &Interrupt::default(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("token 99"), "{error}");
}

#[test]
fn what_it_does_not_compute_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let message = |change: &dyn Fn(&Path)| {
        write(folder.path(), "mean_tokens", 12);
        change(folder.path());
        open(folder.path()).err().expect("refused").to_string()
    };
    let replace = |file: &'static str, from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            std::fs::write(path, text.replace(from, to)).unwrap();
        }
    };
    assert!(
        message(&replace("1_Pooling/config.json", "mean_tokens", "lasttoken"))
            .contains("pooling is not supported")
    );
    assert!(
        message(&replace("modules.json", "Normalize\"", "Dense\""))
            .contains("`Dense` is not supported")
    );
    assert!(message(&replace("config.json", "\"gelu\"", "\"mish\"")).contains("mish"));
    assert!(
        message(&replace("config.json", "attention_heads\": 2", "attention_heads\": 0"))
            .contains("0 heads")
    );
    assert!(
        message(&|folder| std::fs::remove_file(folder.join("tokenizer.json")).unwrap())
            .contains("no tokenizer")
    );
}

#[test] // values of the published card, and of a float64 computation from the formulas
fn minilm_gives_its_published_vectors() {
    let Some(folder) = std::env::var_os("LLMPR_MINILM") else {
        let why = "LLMPR_MINILM names no folder";
        return crate::shared_data::skipped("minilm_gives_its_published_vectors", why);
    };
    let encoder = open(Path::new(&folder)).unwrap();
    let long = "word ".repeat(400);
    let vectors =
        embed(&encoder, &["This is an example sentence", "Each sentence is converted", "", &long]);
    let expected = [
        ([0.0676569, 0.0634959, 0.0487131, 0.079305], 1.0),
        ([0.0864386, 0.1027626, 0.0053945, 0.0020444], 0.4045592),
        ([-0.1188384, 0.0482987, -0.0025481, -0.0110112], 0.2282518),
        ([-0.0081237, -0.095586, -0.0386731, 0.049662], 0.1553346),
    ];
    for (row, (first, cosine)) in vectors.iter_rows().zip(expected) {
        let dot: f32 = row.iter().zip(vectors.row(0)).map(|(x, y)| x * y).sum();
        assert!((dot - cosine).abs() < 2e-6, "{dot} {cosine}");
        assert!(
            row.iter().zip(first).all(|(x, y)| (x - y).abs() < 1e-6),
            "{:?} {first:?}",
            &row[..4]
        );
    }
}

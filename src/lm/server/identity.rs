//! Which model a server serves, by what it says of itself: the same one on another port is the same model.

use serde_json::Value;

use super::dialect::Kind;

/// What a server says before anything is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Served {
    /// The program.
    pub kind: Kind,
    /// Its own name of the model, a path's last part.
    pub model: Option<String>,
    /// Facts about the weights: sizes of llama.cpp, the checkpoint of vLLM.
    pub weights: Option<String>,
}

/// The last part of what looks like a path of a file; a hub id stays whole.
fn bare(name: &str) -> &str {
    let path = name.starts_with(['/', '.', '~']) || name.contains('\\') || name.ends_with(".gguf");
    match path {
        true => name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(name),
        false => name,
    }
}

impl Served {
    /// From the answer of `/models`, where `asked` is the name that requests will bear.
    pub fn of(models: &Value, server: Option<&str>, asked: &str) -> Self {
        let none = Vec::new();
        let listed = models["data"].as_array().unwrap_or(&none);
        let called = |model: &&Value| {
            let aliases = model["aliases"].as_array().unwrap_or(&none);
            model["id"] == asked || aliases.iter().any(|alias| alias == asked)
        };
        let found = listed.iter().find(called).or(listed.first().filter(|_| listed.len() == 1));
        let Some(found) = found else {
            return Self { kind: kind_of("", server), ..Self::default() };
        };
        let kind = kind_of(found["owned_by"].as_str().unwrap_or_default(), server);
        let meta = ["n_params", "size", "ftype", "n_vocab"].iter().filter_map(|name| {
            let value = found["meta"].get(*name)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(format!("{name}={text}"))
        });
        let meta: Vec<String> = meta.collect();
        let root = found["root"].as_str().map(|root| format!("root={}", bare(root)));
        let weights = if meta.is_empty() { root } else { Some(meta.join(" ")) };
        let model = found["id"].as_str().map(|id| bare(id).to_owned());
        Self { kind, model, weights }
    }
}

fn kind_of(owner: &str, server: Option<&str>) -> Kind {
    match owner {
        "llamacpp" => Kind::LlamaCpp,
        "vllm" => Kind::Vllm,
        "sglang" => Kind::Sglang,
        _ if server == Some("llama.cpp") => Kind::LlamaCpp,
        _ => Kind::Unknown,
    }
}

/// What decides the texts of a server's model, for a hash: the name that a person gave it, or its own with
/// what it says of the weights. The address is no part of it.
pub(super) fn identity(alias: Option<&str>, asked: &str, served: Option<&Served>) -> String {
    if let Some(alias) = alias {
        return format!("server/2 as {alias}");
    }
    let model = served.and_then(|served| served.model.as_deref()).unwrap_or(asked);
    let weights = served.and_then(|served| served.weights.as_deref()).unwrap_or_default();
    format!("server/2 model {model} {weights}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn llama_cpp_and_vllm_are_known_by_what_they_list() {
        let llama = json!({"data": [{"id": "/scratch/me/SmolLM2.gguf", "owned_by": "llamacpp",
            "meta": {"n_ctx": 1024, "n_params": 134515008, "size": 96576768, "ftype": "Q4_1", "n_vocab": 49152}}]});
        let served = Served::of(&llama, None, "any name");
        assert_eq!((served.kind, served.model.as_deref()), (Kind::LlamaCpp, Some("SmolLM2.gguf")));
        assert_eq!(
            served.weights.as_deref(),
            Some("n_params=134515008 size=96576768 ftype=Q4_1 n_vocab=49152")
        );
        let vllm = json!({"data": [
            {"id": "other", "owned_by": "vllm", "root": "/models/other"},
            {"id": "org/m", "owned_by": "vllm", "root": "/node7/models/m/"}]});
        let served = Served::of(&vllm, None, "org/m");
        assert_eq!(served.weights.as_deref(), Some("root=m"));
        assert_eq!(identity(None, "org/m", Some(&served)), "server/2 model org/m root=m");
        assert_eq!(identity(Some("mine"), "org/m", Some(&served)), "server/2 as mine");
        assert_eq!(Served::of(&json!("hello"), Some("llama.cpp"), "a").kind, Kind::LlamaCpp);
        assert_eq!(Served::of(&vllm, None, "absent"), Served::default());
    }
}

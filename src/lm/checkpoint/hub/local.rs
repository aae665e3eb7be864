//! Files of the hub where a path is expected: texts, tasks, features.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use super::{
    Hub, HubId,
    id::{FILE_FORM, without_scheme},
};
use crate::lm::{LmError, checkpoint::notes};

/// `spec` with a file of the hub, `hf:org/name[@revision]/path[:field]`, replaced by its path in the cache, where
/// it is fetched to if it is not there; anything else is given back as it is.
///
/// # Errors
///
/// [`LmError::Refused`] for a `hf:` that names no file, and those of [`Hub::resolve`].
pub fn local(spec: &str) -> Result<Cow<'_, str>, LmError> {
    if without_scheme(spec).is_none() {
        return Ok(Cow::Borrowed(spec));
    }
    let Some((id, field)) = HubId::parse_file(spec) else {
        let why = format!("names no file of the hub; write {FILE_FORM}");
        return Err(LmError::Refused { id: spec.to_owned(), why });
    };
    let path = Hub::from_env().resolve(&id, &mut aloud(&id))?.display().to_string();
    Ok(Cow::Owned(field.map_or(path.clone(), |field| format!("{path}:{field}"))))
}

/// Bytes below which nobody waits for a file.
const WORTH_A_WORD: u64 = 4 << 20;

/// The longest that nothing is heard of a file on its way.
const SILENCE: Duration = Duration::from_secs(60);

/// Tells the listener of each large file as it begins, and once a minute how far it is.
pub(crate) fn aloud(id: &HubId) -> impl FnMut(&str, u64, Option<u64>) {
    let whole = HubId { file: None, ..id.clone() };
    let (mut told, mut last) = (String::new(), Instant::now());
    move |name, have, size| {
        let is_new = told != name;
        if !is_new && last.elapsed() >= SILENCE {
            last = Instant::now();
            let of = size.map_or_else(String::new, |size| format!(" of {:.1}", size as f64 / 1e6));
            notes::tell(&format!("{name}: {:.1}{of} MB", have as f64 / 1e6));
        }
        if is_new && size.is_none_or(|size| size >= WORTH_A_WORD) {
            last = Instant::now();
            let size =
                size.map_or_else(String::new, |size| format!(" ({:.1} MB)", size as f64 / 1e6));
            notes::tell(&format!("fetching {name} of {whole}{size}"));
        }
        name.clone_into(&mut told);
    }
}

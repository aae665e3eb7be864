//! Measures of the first texts of a cell or a mixture, and of halves and quarters of them.

use indexmap::IndexMap;

use super::{Race, Stopped};
use crate::{
    data::{matrix::Matrix, sides::Sides},
    report::record::SampleRecord,
    run::{
        truth::Verdicts,
        tune::{
            mix::Mix,
            race::{Runner, Seen, halves, quarters},
            wish::EXACT,
        },
    },
    score::values_of_parts,
};

/// What texts are measured by, as far as the wish asks for it.
pub(super) struct Material {
    /// What the grammar says of them.
    verdicts: Option<Verdicts>,
    /// Their features.
    features: Option<Matrix>,
}

impl Material {
    /// The first texts of two cells mixed, each of the one that `origins` says.
    fn mixed(parts: [&Self; 2], origins: &[usize]) -> Self {
        let verdicts = parts.map(|part| part.verdicts.as_ref());
        let verdicts = match verdicts {
            [Some(one), Some(other)] => Some(one.mixed(other, origins)),
            _ => None,
        };
        let features = match parts.map(|part| part.features.as_ref()) {
            [Some(one), Some(other)] => {
                let rows = origins.iter().enumerate().map(|(at, part)| at + part * one.rows());
                Some(one.stack(other).select(&rows.collect::<Vec<_>>()))
            }
            _ => None,
        };
        Self { verdicts, features }
    }
}

impl Race<'_, '_> {
    /// What a cell's first texts are measured by; nothing where it failed, which is then named.
    pub(super) fn material(
        &mut self,
        at: usize,
        samples: &[SampleRecord],
    ) -> Stopped<Option<Material>> {
        let execution = &mut *self.execution;
        let is_exact = self.terms.wish.measures().iter().any(|name| name.starts_with(EXACT));
        let verdicts = execution.sweep.grammar.as_ref().filter(|_| is_exact).map(|grammar| {
            let texts: Vec<&str> = samples.iter().map(SampleRecord::text).collect();
            Verdicts::new(grammar, &texts)
        });
        let mut features = None;
        if self.space.is_some() {
            let record = &self.cells[at].record;
            match execution.features(record, samples)? {
                Ok(Some(found)) => features = Some(found),
                Ok(None) => return Ok(None),
                Err(why) => {
                    execution.fail(record, why);
                    return Ok(Some(None));
                }
            }
        }
        Ok(Some(Some(Material { verdicts, features })))
    }

    /// The measures that are wanted, of the first `m` texts and of halves of them, or in their place why some is not
    /// defined.
    ///
    /// * `at`: the cell, or one part of a mixture, whose prompts they answer.
    pub(super) fn measure(
        &self,
        at: usize,
        material: &Material,
        m: usize,
    ) -> Result<Runner, String> {
        let halves = halves(m, self.cells[at].prompts.prompts.len(), self.terms.seed);
        let parts = [quarters(&halves), halves].concat();
        let mut found: Vec<IndexMap<String, f64>> = vec![IndexMap::new(); parts.len() + 1];
        if let Some(verdicts) = &material.verdicts {
            let all = (0..m).collect();
            for (found, rows) in found.iter_mut().zip(std::iter::once(&all).chain(&parts)) {
                let values = verdicts.measure(rows);
                found.extend(values.into_iter().map(|(name, v)| (format!("{EXACT}{name}"), v)));
            }
        }
        if let (Some(space), Some(features)) = (&self.space, &material.features) {
            let sets = Sides { reference: &space.reference.features, model: features };
            let values = values_of_parts(sets, space.pca.as_ref(), &parts, &space.options);
            let values = values.map_err(|error| format!("cannot be measured: {error}"))?;
            found.iter_mut().zip(values).for_each(|(found, values)| found.extend(values));
        }
        Ok(match seen(&self.terms.wish.measures(), &found) {
            Ok(seen) => Runner { texts: m, seen, ..Runner::default() },
            Err(name) => {
                let what = "is infinite or not defined on them or on a half of them";
                out(
                    m,
                    format!(
                        "{name} of its {m} texts {what}; draw more, or wish for another measure"
                    ),
                )
            }
        })
    }

    /// Puts mixtures behind the cells, measured on as many texts as both of their parts have. One that cannot be
    /// measured is there without measures, and says why.
    pub(super) fn mix(&mut self, mixes: Vec<Mix>) -> Stopped<()> {
        let mut materials: IndexMap<usize, Option<Material>> = IndexMap::new();
        self.execution.progress.begin("measuring", "mixtures", mixes.len() as u64, 0);
        for mix in mixes {
            let [one, other] = mix.parts;
            let m = self.runners[one].texts.min(self.runners[other].texts);
            let key = ((mix.parts, mix.share.to_bits()), m);
            if !self.known.contains_key(&key) {
                for part in mix.parts {
                    if self.execution.stop.asked() {
                        return Ok(None);
                    }
                    if !materials.contains_key(&part) {
                        let record = self.cells[part].record.clone();
                        let samples = self.execution.first(&record, self.runners[part].texts)?;
                        let Some(found) = self.material(part, &samples)? else { return Ok(None) };
                        materials.insert(part, found);
                    }
                }
                let found = match (&materials[&one], &materials[&other]) {
                    (Some(first), Some(second)) => {
                        let origins = mix.origins(m, self.terms.seed);
                        self.measure(one, &Material::mixed([first, second], &origins), m)
                    }
                    _ => Err("the texts of a part cannot be embedded".to_owned()),
                };
                self.known.insert(key, found.unwrap_or_else(|why| out(m, why)));
            }
            self.mixes.push(mix);
            self.runners.push(self.known[&key].clone());
            self.execution.progress.advance(1, 0);
        }
        self.execution.progress.end();
        Ok(Some(()))
    }
}

/// A runner of `m` texts without measures.
fn out(m: usize, why: String) -> Runner {
    Runner { texts: m, out: Some(why), ..Runner::default() }
}

/// The measures that are wanted, where all texts and their halves have them, else the name of one that some lack; `found`
/// are the values of all texts, of two quarters for each half, and of the halves.
fn seen<'a>(
    names: &'a [String],
    found: &[IndexMap<String, f64>],
) -> Result<IndexMap<String, Seen>, &'a str> {
    let [whole, parts @ ..] = found else { return Ok(IndexMap::new()) };
    let (quarters, halves) = parts.split_at(parts.len() / 3 * 2);
    let of = |name: &String| {
        let values = |parts: &[IndexMap<String, f64>]| -> Option<Vec<f64>> {
            parts.iter().map(|part| part.get(name).copied().filter(|v| v.is_finite())).collect()
        };
        let (whole, halves, quarters) = (*whole.get(name)?, values(halves)?, values(quarters));
        let pairs = |all: Vec<f64>| all.chunks(2).map(|q| f64::midpoint(q[0], q[1])).collect();
        Some((name.clone(), Seen { whole, halves, quarters: quarters.map(pairs) }))
    };
    names.iter().map(|name| of(name).ok_or(name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_that_a_half_lacks_is_named() {
        let names = ["recall".to_owned(), "kl".to_owned()];
        let of = |kl: f64| IndexMap::from([("recall".to_owned(), 0.5), ("kl".to_owned(), kl)]);
        // All texts, two quarters for each of two halves, the halves.
        let mut found = vec![of(1.0); 7];
        let whole = seen(&names, &found).unwrap();
        assert_eq!(
            (whole["kl"].halves.len(), whole["kl"].quarters.as_deref()),
            (2, Some(&[1.0; 2][..]))
        );
        // A quarter may lack it, a half may not.
        found[2] = of(f64::INFINITY);
        assert_eq!(seen(&names, &found).unwrap()["kl"].quarters, None);
        found[6] = of(f64::INFINITY);
        assert_eq!(seen(&names, &found), Err("kl"));
    }
}

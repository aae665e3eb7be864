//! AdamW with warm-up and cosine decay, whose state can be kept in a file.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use candle_core::{Device, Tensor, Var};

/// Learning rates and their course.
#[derive(Clone, Copy)]
pub struct Schedule {
    pub peak: f64,
    pub warmup: usize,
    pub steps: usize,
}

impl Schedule {
    /// The rate at `step`: linear to the peak, then half a cosine to nothing.
    pub fn rate(&self, step: usize) -> f64 {
        let (step, warmup) = (step as f64 + 1.0, self.warmup as f64);
        let left = (self.steps as f64 - warmup).max(1.0);
        let decay = 0.5 * (1.0 + (std::f64::consts::PI * (step - warmup).max(0.0) / left).cos());
        self.peak * (step / warmup).min(1.0) * decay
    }
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.98;
const DECAY: f64 = 0.05;
const CLIP: f64 = 1.0;

/// First and second moments per variable, and the steps done.
pub struct AdamW {
    pub step: usize,
    moments: BTreeMap<String, [Vec<f32>; 2]>,
}

impl AdamW {
    pub fn new(vars: &BTreeMap<String, Var>) -> Self {
        let zeros = |var: &Var| [vec![0.0; var.elem_count()], vec![0.0; var.elem_count()]];
        let moments = vars.iter().map(|(name, var)| (name.clone(), zeros(var))).collect();
        Self { step: 0, moments }
    }

    /// One step down the gradients, clipped to norm 1; matrices decay.
    pub fn update(
        &mut self,
        vars: &BTreeMap<String, Var>,
        gradients: &BTreeMap<String, Vec<f32>>,
        rate: f64,
    ) -> candle_core::Result<()> {
        self.step += 1;
        let square = |g: &Vec<f32>| g.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
        let norm = gradients.values().map(square).sum::<f64>().sqrt();
        let clip = (CLIP / norm.max(CLIP)) as f32;
        let correction = |beta: f64| 1.0 - beta.powi(self.step as i32);
        let scale = (rate / correction(BETA1)) as f32;
        let unbias = correction(BETA2).recip() as f32;
        let (b1, b2) = (BETA1 as f32, BETA2 as f32);
        for (name, var) in vars {
            let (Some(gradient), Some([m, v])) = (gradients.get(name), self.moments.get_mut(name))
            else {
                continue;
            };
            let mut weights = var.flatten_all()?.to_vec1::<f32>()?;
            let decay = if var.rank() > 1 { 1.0 - (rate * DECAY) as f32 } else { 1.0 };
            for (((w, g), m), v) in weights.iter_mut().zip(gradient).zip(m).zip(v) {
                let g = g * clip;
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *w = *w * decay - scale * *m / ((*v * unbias).sqrt() + 1e-8);
            }
            var.set(&Tensor::from_vec(weights, var.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// Writes weights and moments to one file, replacing it whole.
    pub fn save(&self, vars: &BTreeMap<String, Var>, path: &Path) -> anyhow::Result<()> {
        let mut tensors = std::collections::HashMap::new();
        for (name, var) in vars {
            tensors.insert(name.clone(), var.as_tensor().clone());
            for (which, values) in self.moments[name].iter().enumerate() {
                let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu)?;
                tensors.insert(format!("moment{which} {name}"), tensor);
            }
        }
        tensors.insert("step".to_owned(), Tensor::new(self.step as i64, &Device::Cpu)?);
        let partial = path.with_extension("partial");
        candle_core::safetensors::save(&tensors, &partial)?;
        std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Goes on from such a file.
    pub fn load(&mut self, vars: &BTreeMap<String, Var>, path: &Path) -> anyhow::Result<()> {
        let tensors = candle_core::safetensors::load(path, &Device::Cpu)?;
        let find = |name: &str| {
            tensors.get(name).with_context(|| format!("`{}` lacks `{name}`", path.display()))
        };
        for (name, var) in vars {
            var.set(find(name)?)?;
            if let Some(moments) = self.moments.get_mut(name) {
                for (which, values) in moments.iter_mut().enumerate() {
                    *values = find(&format!("moment{which} {name}"))?.to_vec1()?;
                }
            }
        }
        self.step = find("step")?.to_scalar::<i64>()? as usize;
        Ok(())
    }
}

//! A flag for every sampling setting but the temperature, out of the table of settings.

use std::error::Error;

use clap::{Arg, ArgMatches, Command, builder::ValueParser};

use crate::{
    cli::layer::Layer,
    decode::{
        Decoding,
        knobs::{self, Knob},
    },
    run::{
        methods::{self, Axes},
        range::Reals,
    },
};

/// What stands behind a setting's flag: one value, or a range of them.
pub trait KnobValue: Clone + Send + Sync + 'static {
    /// Its name in help.
    fn name(knob: &Knob) -> &'static str;

    /// Reads it.
    fn read(knob: &Knob, text: &str) -> Result<Self, Box<dyn Error + Send + Sync>>;
}

impl KnobValue for f64 {
    fn name(knob: &Knob) -> &'static str {
        knob.letter
    }

    fn read(knob: &Knob, text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let kind = if knob.whole { "whole number" } else { "number" };
        knob.read(text).ok_or_else(|| format!("`{text}` is no {kind}").into())
    }
}

impl KnobValue for Reals {
    fn name(_: &Knob) -> &'static str {
        "RANGE"
    }

    fn read(knob: &Knob, text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(methods::values(knob, text)?)
    }
}

/// The settings that were given.
#[derive(Clone, Debug)]
pub struct KnobFlags<V>(Vec<(&'static Knob, V)>);

impl<V> Default for KnobFlags<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl KnobFlags<f64> {
    /// The settings at the neutral temperature; a setting that is neutral is none, and what shapes
    /// one that is on is completed. Ranges are not checked.
    pub fn decoding(&self) -> Decoding {
        let mut decoding = Decoding::default();
        self.0.iter().for_each(|(knob, value)| knob.set(&mut decoding, *value));
        decoding.completed()
    }
}

impl KnobFlags<Reals> {
    /// The values of every setting that was given.
    pub fn axes(self) -> Axes {
        self.0.into_iter().fold(Axes::default(), |axes, (knob, values)| axes.with(knob, values))
    }
}

impl<V> Layer for KnobFlags<V> {
    fn or(mut self, other: Self) -> Self {
        let absent = |(knob, _): &(&'static Knob, V)| !self.0.iter().any(|(own, _)| own == knob);
        let others: Vec<_> = other.0.into_iter().filter(absent).collect();
        self.0.extend(others);
        self
    }
}

fn flag<V: KnobValue>(knob: &'static Knob) -> Arg {
    let read = move |text: &str| V::read(knob, text);
    let arg = Arg::new(knob.column)
        .long(knob.flag)
        .value_name(V::name(knob))
        .help(knob.help)
        .allow_negative_numbers(true)
        .value_parser(ValueParser::new(read));
    // Alone, a switch is on.
    if knob.is_switch() { arg.num_args(0..=1).default_missing_value("1") } else { arg }
}

impl<V: KnobValue> clap::Args for KnobFlags<V> {
    fn augment_args(command: Command) -> Command {
        command.args(knobs::optional().iter().map(|knob| flag::<V>(knob)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<V: KnobValue> clap::FromArgMatches for KnobFlags<V> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value =
            |knob: &&'static Knob| Some((*knob, matches.get_one::<V>(knob.column)?.clone()));
        Ok(Self(knobs::optional().iter().filter_map(value).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;
    use crate::cli::{sample, sweep};

    fn read(words: &[&str]) -> Result<Decoding, clap::Error> {
        let command = KnobFlags::<f64>::augment_args(Command::new("llmpr"));
        let words = std::iter::once("llmpr").chain(words.iter().copied());
        let matches = command.try_get_matches_from(words)?;
        Ok(KnobFlags::<f64>::from_arg_matches(&matches)?.decoding())
    }

    #[test]
    fn flags_set_what_they_name_and_neutral_ones_nothing() {
        let got = read(&["--top-p", "0.9", "--top-k", "0", "--repetition-penalty", "1.2"]).unwrap();
        let wanted =
            Decoding { top_p: Some(0.9), repetition_penalty: Some(1.2), ..Decoding::default() };
        assert_eq!(got, wanted);
        let on = read(&["--p-less", "--frequency-penalty", "-0.5", "--dry-multiplier", "0.8"]);
        let wanted = Decoding {
            p_less: Some(1),
            frequency_penalty: Some(-0.5),
            dry_multiplier: Some(0.8),
            dry_base: Some(1.75),
            dry_allowed_length: Some(2),
            ..Decoding::default()
        };
        assert_eq!(on.unwrap(), wanted);
        let error = read(&["--top-k", "2.5"]).unwrap_err().to_string();
        assert!(error.contains("`2.5` is no whole number"), "{error}");
    }

    #[test]
    fn sample_and_sweep_have_a_flag_for_every_setting_that_say_the_same() {
        let sample = sample::Args::augment_args(Command::new("sample"));
        let sweep = sweep::Args::augment_args(Command::new("sweep"));
        let help = |command: &Command, knob: &Knob| {
            let flag = command.get_arguments().find(|arg| arg.get_long() == Some(knob.flag));
            Some(flag?.get_help()?.to_string())
        };
        for knob in knobs::optional() {
            let wanted = Some(knob.help.to_owned());
            assert_eq!(help(&sample, knob), wanted, "sample --{}", knob.flag);
            assert_eq!(help(&sweep, knob), wanted, "sweep --{}", knob.flag);
        }
    }
}

//! What a measurement found: figures with their units, and what went wrong.

use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Its name, for the report and for programs.
    pub key: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
}

/// What one measurement found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Which measurement.
    pub measure: String,
    /// In the order in which they are printed.
    pub figures: Vec<Figure>,
    /// What went wrong, if anything did: the figures are not to be trusted then.
    pub problems: Vec<String>,
}

impl Figures {
    pub(crate) fn of(measure: &str) -> Self {
        Self { measure: measure.to_owned(), ..Self::default() }
    }

    pub(crate) fn add(&mut self, key: &str, value: f64, unit: &str) {
        self.figures.push(Figure { key: key.to_owned(), value, unit: unit.to_owned() });
    }

    /// Adds p50, p99 and the maximum under `key`.
    pub(crate) fn add_times(&mut self, key: &str, times: crate::samples::Samples) {
        let summary = times.summary();
        self.add(&format!("{key}_p50"), summary.p50_ms, "ms");
        self.add(&format!("{key}_p99"), summary.p99_ms, "ms");
        self.add(&format!("{key}_max"), summary.max_ms, "ms");
    }

    /// The middle of each figure of rounds that measured the same, and the largest of those in `most`; what went wrong in any.
    pub(crate) fn of_rounds(rounds: Vec<Self>, most: &[&str]) -> Self {
        let Some(first) = rounds.first() else { return Self::default() };
        let mut all = Self::of(&first.measure);
        for Figure { key, unit, .. } in &first.figures {
            let [_, middle, largest] = spread(rounds.iter().filter_map(|round| round.get(key)).collect());
            all.add(key, if most.contains(&key.as_str()) { largest } else { middle }, unit);
        }
        all.problems.extend(rounds.into_iter().flat_map(|round| round.problems));
        all
    }

    pub(crate) fn get(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.key == key).map(|figure| figure.value)
    }

    /// One line per figure, for people.
    pub(crate) fn text(&self) -> String {
        let width = self.figures.iter().map(|figure| figure.key.len()).max().unwrap_or(0);
        let line = |figure: &Figure| format!("  {:width$}  {:>12} {}\n", figure.key, number(figure.value), figure.unit);
        let problem = |problem: &String| format!("  wrong: {problem}\n");
        let lines = self.figures.iter().map(line).chain(self.problems.iter().map(problem));
        format!("{}\n{}", self.measure, lines.collect::<String>())
    }
}

/// The least of the values of rounds, the middle one and the largest.
pub(crate) fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0, values.len() / 2, values.len().saturating_sub(1)].map(|at| values.get(at).copied().unwrap_or(f64::NAN))
}

/// Counts without decimals, small figures with two.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 10_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_the_way_from_one_process_to_another() {
        let mut figures = Figures::of("idle");
        figures.add("rss", 8.25, "KiB");
        figures.problems.push("3 sockets were lost".to_owned());
        let line = serde_json::to_string(&figures).unwrap();
        assert_eq!(serde_json::from_str::<Figures>(&line).unwrap(), figures);
    }

    #[test]
    fn of_rounds_the_middle_counts_and_of_what_went_wrong_the_most() {
        let rounds = [(26.0, 0.0), (24.0, 1.0), (90.0, 0.0)].map(|(cpu, wrong)| {
            let mut round = Figures::of("stream");
            round.add("cpu", cpu, "us");
            round.add("wrong", wrong, "");
            round.problems.extend((wrong > 0.0).then(|| "a reply was cut".to_owned()));
            round
        });
        let all = Figures::of_rounds(rounds.into(), &["wrong"]);
        assert_eq!((all.get("cpu"), all.get("wrong")), (Some(26.0), Some(1.0)));
        assert_eq!((all.measure.as_str(), all.problems.as_slice()), ("stream", &["a reply was cut".to_owned()][..]));
    }

    #[test]
    fn people_see_figures_with_their_units_and_what_went_wrong() {
        let mut figures = Figures::of("idle");
        figures.add("sockets", 5000.0, "");
        figures.add("rss_each", 8.254, "KiB");
        figures.problems.push("late".to_owned());
        let text = figures.text();
        assert!(text.contains("5000 \n") && text.contains("8.25 KiB") && text.contains("wrong: late"), "{text}");
    }
}

//! Raw figures, what is derived from them, and how both are shown.

use serde::Serialize;

/// A side of a comparison: every raw figure and their median.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Who was measured.
    pub name: String,
    /// Median of `raw`.
    pub median: f64,
    /// One figure a round.
    pub raw: Vec<f64>,
}

impl Side {
    /// A side from its figures, one a round.
    pub fn new(name: impl Into<String>, raw: Vec<f64>) -> Self {
        Self { name: name.into(), median: median(&raw), raw }
    }
}

/// Ratios of two sides, round by round.
#[derive(Debug, Clone, Serialize)]
pub struct Ratio {
    /// Median of the rounds.
    pub median: f64,
    /// Smallest round.
    pub low: f64,
    /// Largest round.
    pub high: f64,
}

impl Ratio {
    /// `over[i] / under[i]` for every round.
    pub fn new(over: &[f64], under: &[f64]) -> Self {
        let ratios: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
        Self {
            median: median(&ratios),
            low: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            high: ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// The goal of a row.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Goal {
    /// What is judged: the ratio to the peer, or the figure itself.
    pub of: Of,
    /// On which side of `value` the figure has to be.
    pub bound: Bound,
    /// The bound.
    pub value: f64,
}

/// What a goal judges.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// [`Row::ratio`].
    Ratio,
    /// The median of [`Row::ours`].
    Value,
}

/// Direction of a goal.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Bound {
    /// `figure >= value`.
    #[serde(rename = ">=")]
    AtLeast,
    /// `figure <= value`.
    #[serde(rename = "<=")]
    AtMost,
}

impl Goal {
    /// The ratio to the peer must be at least `value`.
    pub fn ratio_at_least(value: f64) -> Self {
        Self { of: Of::Ratio, bound: Bound::AtLeast, value }
    }

    /// The figure itself must be at least `value`.
    pub fn at_least(value: f64) -> Self {
        Self { of: Of::Value, bound: Bound::AtLeast, value }
    }

    /// The figure itself must be at most `value`.
    pub fn at_most(value: f64) -> Self {
        Self { of: Of::Value, bound: Bound::AtMost, value }
    }
}

/// One line of the table; the shape that the suites in JavaScript use, too.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was done.
    pub label: String,
    /// Unit of the figures.
    pub unit: String,
    /// The figures of Tandem.
    pub ours: Side,
    /// The figures of the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Side>,
    /// How Tandem compares: above 1 is faster where rates are compared. Says in `label` or `unit` what else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// The peer against a second instance of itself, or without a peer every round against the round before: what a
    /// ratio of 1 looks like on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<Ratio>,
    /// The goal, if this row has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
    /// Whether the goal is met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
    /// Other policies on the same trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<crate::hit_ratio::Compared>,
    /// Hit ratio with 8 and with 64 shards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharded: Option<[f64; 2]>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Row {
    /// A row of figures without a peer.
    pub fn new(label: impl Into<String>, unit: &str, ours: Vec<f64>) -> Self {
        Self {
            label: label.into(),
            unit: unit.into(),
            ours: Side::new("tandem", ours),
            peer: None,
            ratio: None,
            noise: None,
            goal: None,
            met: None,
            references: None,
            sharded: None,
            note: None,
        }
    }

    /// Puts a peer beside it.
    pub fn beside(mut self, peer: Side, ratio: Option<Ratio>, noise: Option<Ratio>) -> Self {
        self.peer = Some(peer);
        self.ratio = ratio;
        self.noise = noise;
        self
    }

    /// Judges it by `goal`.
    pub fn judged(mut self, goal: Goal) -> Self {
        let figure = match goal.of {
            Of::Ratio => self.ratio.as_ref().map(|ratio| ratio.median),
            Of::Value => Some(self.ours.median),
        };
        self.goal = Some(goal);
        self.met = figure.map(|figure| match goal.bound {
            Bound::AtLeast => figure >= goal.value,
            Bound::AtMost => figure <= goal.value,
        });
        self
    }

    /// Takes every round over the round before as the noise: for rows without a peer. Does nothing for one round.
    pub fn noise_between_rounds(mut self) -> Self {
        let raw = &self.ours.raw;
        self.noise = (raw.len() > 1).then(|| Ratio::new(&raw[1..], &raw[..raw.len() - 1]));
        self
    }

    /// Adds a remark.
    pub fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// What one run of a suite found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Id in the list of targets.
    pub suite: String,
    /// What is measured.
    pub title: String,
    /// The lines.
    pub rows: Vec<Row>,
}

impl Report {
    /// Prints the report: one line of JSON, or a table.
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).expect("a report holds nothing that JSON lacks"));
            return;
        }
        println!("{}  {}", self.suite, self.title);
        for row in &self.rows {
            print!("  {:<44} {:>10.2} {}", row.label, row.ours.median, row.unit);
            if let Some(peer) = &row.peer {
                print!("  {} {:.2}", peer.name, peer.median);
            }
            if let Some(ratio) = &row.ratio {
                print!("  ratio {:.3} ({:.3}-{:.3})", ratio.median, ratio.low, ratio.high);
            }
            if let Some(noise) = &row.noise {
                print!("  noise {:.3} ({:.3}-{:.3})", noise.median, noise.low, noise.high);
            }
            if let (Some(goal), Some(met)) = (&row.goal, row.met) {
                let bound = match goal.bound {
                    Bound::AtLeast => ">=",
                    Bound::AtMost => "<=",
                };
                print!("  goal {bound} {} {}", goal.value, if met { "met" } else { "MISSED" });
            }
            if let Some(note) = &row.note {
                print!("  [{note}]");
            }
            println!();
        }
    }
}

/// Median; the mean of the middle two for an even count; NaN for none.
pub fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

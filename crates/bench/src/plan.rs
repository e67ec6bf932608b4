//! What to run.

use std::time::Duration;

use crate::{Error, Result};

/// Most connections to one server.
pub(crate) const MAX_CONNECTIONS: usize = 10_000;
/// Most requests of one connection under way.
pub(crate) const MAX_PIPELINE: usize = 10_000;
/// Keys are written with twelve digits.
pub(crate) const MAX_KEYS: u64 = 1_000_000_000_000;
/// Longest value.
pub(crate) const MAX_VALUE_BYTES: usize = 64 << 20;
const MAX_ROUNDS: usize = 10_000;
const MAX_ZIPF: f64 = 10.0;
const MAX_RATE: f64 = 1e8;
/// More than one thread opens.
const MAX_CONNECTS: f64 = 1e5;
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// A server to measure.
#[derive(Debug, Clone)]
pub struct Target {
    /// How the report calls it.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// The process whose CPU time is measured. `None`: the one that `INFO` names, if the server is on this machine.
    pub pid: Option<u32>,
    /// What to say if the server wants a password.
    pub password: Option<Vec<u8>>,
}

/// A command of the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `GET key`
    Get,
    /// `SET key value`
    Set,
    /// `DEL key`
    Del,
    /// `INCR n:key`: counters have keys of their own, as the values of the others are no numbers
    Incr,
    /// `PING`
    Ping,
}

impl std::str::FromStr for Operation {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "get" => Ok(Self::Get),
            "set" => Ok(Self::Set),
            "del" => Ok(Self::Del),
            "incr" => Ok(Self::Incr),
            "ping" => Ok(Self::Ping),
            _ => Err(format!("{name:?} is none of get, set, del, incr, ping")),
        }
    }
}

/// A command and its share of the requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    /// The command.
    pub operation: Operation,
    /// Its share, in proportion to the sum of all; above 0.
    pub share: f64,
}

/// How long a round takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// So many requests.
    Requests(u64),
    /// So much time, and then until all replies are there.
    Time(Duration),
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers; the others are compared to the first.
    pub servers: Vec<Target>,
    /// Connections to each server, 1 to 10,000.
    pub connections: usize,
    /// Requests of one connection under way, 1 to 10,000. A closed loop sends so many at once.
    pub pipeline: usize,
    /// Number of keys, 1 to 10^12.
    pub keys: u64,
    /// Exponent of Zipf's law by which keys are chosen, up to 10; `None`: all are equally likely.
    pub zipf: Option<f64>,
    /// Least and greatest size of a value in bytes, up to 64 MiB; sizes between are equally likely.
    pub value_bytes: (usize, usize),
    /// The commands.
    pub mix: Vec<Weight>,
    /// Requests a second (open loop), or `None` for as many as the server answers (closed loop).
    pub rate: Option<f64>,
    /// Connections a second that come and go beside the load; `None` for none.
    pub connects: Option<f64>,
    /// Length of a round.
    pub length: Length,
    /// Rounds of each server that count, 1 to 10,000; another one before them does not.
    pub rounds: usize,
    /// Whether every key is written before the first round.
    pub fill: bool,
    /// Seed of the order of commands, keys and sizes: every server gets the same.
    pub seed: u64,
}

impl Plan {
    /// Checks every part.
    ///
    /// # Errors
    /// [`Error::BadPlan`] names the first that is out of range.
    pub fn check(&self) -> Result<()> {
        let bad = |option, reason: String| Err(Error::BadPlan { option, reason });
        if self.servers.is_empty() {
            return bad("servers", "at least one is needed".into());
        }
        for (index, one) in self.servers.iter().enumerate() {
            if self.servers[..index].iter().any(|earlier| earlier.name == one.name) {
                return bad("servers", format!("two are called {:?}", one.name));
            }
        }
        let whole = |option, value: u64, max: u64| match value {
            0 => bad(option, format!("0 is outside 1 to {max}")),
            value if value > max => bad(option, format!("{value} is outside 1 to {max}")),
            _ => Ok(()),
        };
        whole("connections", self.connections as u64, MAX_CONNECTIONS as u64)?;
        whole("pipeline", self.pipeline as u64, MAX_PIPELINE as u64)?;
        whole("keys", self.keys, MAX_KEYS)?;
        whole("rounds", self.rounds as u64, MAX_ROUNDS as u64)?;
        if let Some(zipf) = self.zipf.filter(|zipf| !(0.0..=MAX_ZIPF).contains(zipf)) {
            return bad("zipf", format!("{zipf} is outside 0 to {MAX_ZIPF}"));
        }
        let (least, greatest) = self.value_bytes;
        if least > greatest || greatest > MAX_VALUE_BYTES {
            return bad("valueBytes", format!("{least} to {greatest} is no range within 0 to {MAX_VALUE_BYTES}"));
        }
        if self.mix.is_empty() || self.mix.iter().any(|one| !(one.share > 0.0 && one.share.is_finite())) {
            return bad("mix", "it needs at least one command, each with a share above 0".into());
        }
        if let Some(rate) = self.rate.filter(|rate| !(*rate >= 1.0 && *rate <= MAX_RATE)) {
            return bad("rate", format!("{rate} is outside 1 to {MAX_RATE} requests a second"));
        }
        if let Some(connects) = self.connects.filter(|connects| !(*connects >= 1.0 && *connects <= MAX_CONNECTS)) {
            return bad("connects", format!("{connects} is outside 1 to {MAX_CONNECTS} connections a second"));
        }
        match self.length {
            Length::Requests(0) => bad("requests", "0 is not allowed; at least 1".into()),
            Length::Time(time) if time.is_zero() || time > MAX_DURATION => {
                bad("duration", format!("{} s is outside 0.001 to {}", time.as_secs_f64(), MAX_DURATION.as_secs()))
            }
            _ => Ok(()),
        }
    }
}

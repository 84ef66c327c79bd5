use serde::Serialize;

/// A law of aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Law {
    /// A row's state does not depend on what else is folded.
    Alone,
    /// Merging the state of no rows changes nothing.
    Identity,
    /// a + b = b + a
    Commutative,
    /// (a + b) + c = a + (b + c)
    Associative,
    /// Folding rows together is merging their states.
    PartialIsMerge,
    /// The order of rows changes nothing.
    Order,
    /// How states are merged changes nothing.
    Tree,
    /// Equal states give equal values.
    Finish,
    /// It reads what it wrote.
    Reads,
    /// (a + b) - b = a
    Subtract,
    /// A state does not grow with the number of rows.
    Bounded,
}

impl Law {
    /// What the law says.
    pub fn says(self) -> &'static str {
        match self {
            Self::Alone => {
                "a row's state must not depend on what is folded beside it or was before"
            }
            Self::Identity => "merging the state of no rows must change nothing",
            Self::Commutative => "merge(a, b) must equal merge(b, a)",
            Self::Associative => "merge(merge(a, b), c) must equal merge(a, merge(b, c))",
            Self::PartialIsMerge => "folding rows together must equal merging their states",
            Self::Order => "the order of the rows must not matter",
            Self::Tree => "in which tree states are merged must not matter",
            Self::Finish => "finish must be a function of the state",
            Self::Reads => "it must read the states that it wrote",
            Self::Subtract => "subtract must undo merge, bit for bit",
            Self::Bounded => "a state must not grow with the number of rows",
        }
    }

    /// What to do.
    pub fn help(self) -> &'static str {
        match self {
            Self::Alone => "keep everything in the state: no global variables and caches",
            Self::Identity => {
                "the state of no rows must be what a new aggregate holds; a mean, for one, is a sum and a count, divided in finish"
            }
            Self::Commutative | Self::Order => {
                "rows come in any order: a first or last value needs a time or key kept beside it, to decide by"
            }
            Self::Associative | Self::PartialIsMerge | Self::Tree => {
                "sums of floats drift with their order: take the SDK's ExactSum, or integers; a mean is a sum and a count, divided in finish"
            }
            Self::Finish => "keep everything in the state: no global variables and caches",
            Self::Reads => "decode must take every state that encode can make",
            Self::Subtract => {
                "leave out subtract where merge cannot be undone exactly (a maximum, a sum of floats); ExactSum subtracts"
            }
            Self::Bounded => "keep counts by value or a sketch instead of the rows themselves",
        }
    }
}

/// What two ways gave that must give the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The way.
    pub way: String,
    /// What it gave: the state, and the value that comes of it.
    pub result: String,
}

/// Why an aggregate is refused: a law, and rows that show it broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unlawful {
    /// The aggregate.
    pub aggregate: String,
    /// The law that it breaks.
    pub law: Law,
    /// The rows: of each its arguments and their values as text.
    pub rows: Vec<Vec<(String, String)>>,
    /// One way.
    pub one: Side,
    /// The other.
    pub other: Side,
}

impl Unlawful {
    /// What to do.
    pub fn help(&self) -> &'static str {
        // What Rust's checked builds and our own messages say.
        let overflows = |side: &Side| side.result.contains("overflow");
        if overflows(&self.one) || overflows(&self.other) {
            return "whether a sum overflows on its way depends on the order: keep it in a wider integer (i128 for int64), or in the SDK's ExactSum";
        }
        self.law.help()
    }
}

impl std::fmt::Display for Unlawful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 4;
        let Self { aggregate, law, rows, one, other } = self;
        write!(f, "aggregate {aggregate} breaks a law: {}", law.says())?;
        for row in rows.iter().take(SHOWN) {
            f.write_str("\n  row:")?;
            for (i, (name, value)) in row.iter().enumerate() {
                write!(f, "{} {name} = {value}", if i == 0 { "" } else { "," })?;
            }
        }
        if rows.len() > SHOWN {
            write!(f, "\n  and {} rows more", rows.len() - SHOWN)?;
        }
        for Side { way, result } in [one, other] {
            write!(f, "\n  {way}: {result}")?;
        }
        write!(f, "\n  {}", self.help())
    }
}

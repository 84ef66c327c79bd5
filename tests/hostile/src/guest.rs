use anyhow::Result;
use unskew_host::{CallError, LoadError, RowStatus};

use crate::ward::Ward;

/// One way to misbehave.
pub struct Guest {
    /// Its name, by which it can be run alone.
    pub name: &'static str,
    /// What it tries.
    pub tries: &'static str,
    /// What must come of it.
    pub expected: Expected,
    /// Lets it try. An error is what no guest may achieve: a neighbouring row
    /// that suffers, a second call that fails.
    pub attack: Attack,
}

/// How a guest is let loose on a host.
pub type Attack = Box<dyn Fn(&Ward) -> Result<Seen>>;

/// What came of it.
#[derive(Debug)]
pub enum Seen {
    /// It was not taken as a module.
    Load(LoadError),
    /// The rows that were to fail did, each like this.
    Row(RowStatus),
    /// The call failed as a whole.
    Call(CallError),
    /// Nothing: every row got what it should.
    Harmless,
    /// It works, but the purity gate refuses it.
    Impure,
    /// Native code that was not this installation's own was compiled anew.
    CompiledAnew,
}

/// What must come of a guest, as a pattern.
pub struct Expected {
    /// How it is written.
    pub shown: &'static str,
    /// Whether something is of it.
    pub fits: fn(&Seen) -> bool,
}

/// An [`Expected`] from a pattern of [`Seen`].
macro_rules! pattern {
    ($pattern:pat) => {
        $crate::guest::Expected {
            shown: stringify!($pattern),
            fits: |seen| matches!(seen, $pattern),
        }
    };
}
pub(crate) use pattern;

impl Seen {
    /// The variant, and the start of its message.
    pub fn line(&self) -> String {
        let (kind, variant, message) = match self {
            Self::Load(error) => ("LoadError::", variant(error), error.to_string()),
            Self::Call(error) => ("CallError::", variant(error), error.to_string()),
            Self::Row(status) => ("RowStatus::", variant(status), String::new()),
            other => ("", variant(other), String::new()),
        };
        let message: String = message.chars().filter(|c| !c.is_control()).take(100).collect();
        format!("{kind}{variant}{}{message}", if message.is_empty() { "" } else { ": " })
    }
}

/// The names of an enum's variants, down to where values begin.
fn variant(value: &dyn std::fmt::Debug) -> String {
    struct Start(String);
    impl std::fmt::Write for Start {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.push_str(text);
            // An error stops the formatting: the rest may be megabytes.
            if self.0.len() < 256 { Ok(()) } else { Err(std::fmt::Error) }
        }
    }
    let mut start = Start(String::new());
    let _ = std::fmt::write(&mut start, format_args!("{value:?}"));
    let names: Vec<&str> = start
        .0
        .split('(')
        .take_while(|part| part.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|part| part.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default())
        .collect();
    names.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use unskew_host::Fault;

    #[test]
    fn variants_are_named_without_their_values() {
        let error = LoadError::ManifestCall(Fault::OutOfFuel { limit: 7 });
        assert_eq!(variant(&error), "ManifestCall::OutOfFuel");
        assert_eq!(variant(&LoadError::CoreModule), "CoreModule");
        assert_eq!(variant(&LoadError::Compile("(A".repeat(1000))), "Compile");
    }
}

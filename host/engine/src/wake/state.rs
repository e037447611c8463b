//! Whether notifications of other hosts arrive.

/// Whether wake-ups of other hosts arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeUps {
    /// They are switched off: this host polls.
    Off,
    /// This host listens and receives its own notifications.
    Arriving,
    /// This host has no connection to listen on.
    Unconnected,
    /// This host listens and does not receive its own notifications.
    Deaf,
}

impl WakeUps {
    /// Returns the state as metrics and `doctor` name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Arriving => "heard",
            Self::Unconnected => "unconnected",
            Self::Deaf => "deaf",
        }
    }
}

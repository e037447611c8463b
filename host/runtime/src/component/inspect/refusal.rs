//! Why a component is not published, in sentences of a bounded length.

use model::{QUOTED_TEXT_BYTES_MAX, Refusal, RefusalCode, Told, truncated};

use super::{PACKAGE, VERSION};

/// Why a component is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// It has too many bytes.
    #[error(
        "the component has {bytes} bytes; at most {max} are allowed (limits.component_bytes_max). Build it optimized for size and without debug information, or ask the operator for more"
    )]
    TooLarge {
        /// Bytes that it has.
        bytes: usize,
        /// Most bytes that it may have.
        max: u32,
    },
    /// It is not a component at all.
    #[error("this is {found}, not a WebAssembly component. {fix}")]
    NotAComponent {
        /// What kind of file it is instead.
        found: &'static str,
        /// What the publisher can do.
        fix: &'static str,
    },
    /// Its structure is broken.
    #[error(
        "the component is malformed: {0}. Build it again; if it was copied, compare its size with the original"
    )]
    Malformed(String),
    /// It has more parts than a host reads.
    #[error(
        "the component has more than {max} {what}, which no build tool makes: nothing beyond was read. Build it again, or split it"
    )]
    TooManyParts {
        /// What it has too many of.
        what: &'static str,
        /// Most that a component may have.
        max: u32,
    },
    /// It imports what this host does not offer.
    #[error("the component imports {0}")]
    Imports(String),
    /// It exports what no world asks for.
    #[error(
        "the component exports neither `{PACKAGE}/attempt@{VERSION}` nor `{PACKAGE}/serve@{VERSION}`{found}. Build it against the world `handler` of wit/ and export `attempt.run`, or against `service` and export `serve.serve`"
    )]
    NoWorld {
        /// What it exports instead, in words.
        found: String,
    },
    /// It exports what two worlds ask for.
    #[error(
        "the component exports both `{PACKAGE}/attempt` and `{PACKAGE}/serve`: it is either a handler or a service. Build two components"
    )]
    TwoWorlds,
    /// The compiler refused it.
    #[error("the component does not compile: {0}")]
    DoesNotCompile(String),
    /// Compiling it takes more than this host gives to one component.
    #[error("{what} (runtime.{setting}). {fix}, or have the operator raise the setting")]
    CompilesTooLong {
        /// What it takes and what it may take.
        what: String,
        /// The key in section `[runtime]`.
        setting: &'static str,
        /// What the publisher can do instead.
        fix: &'static str,
    },
    /// It needs more than a sandbox may use.
    #[error(
        "the component needs {has} {what}; a sandbox may have {max} (sandbox.{setting}). Build it to need less, or have the operator set sandbox.{setting} to {has} or more"
    )]
    ExceedsSandbox {
        /// What it needs too much of.
        what: &'static str,
        /// How much of it the component needs.
        has: u64,
        /// How much of it a sandbox may have.
        max: u64,
        /// The key in section `[sandbox]`.
        setting: &'static str,
    },
    /// It compiles but does not fit the interfaces.
    #[error(
        "the component does not fit the interfaces of this host: {0}. Build it against the wit/ of {PACKAGE} {VERSION}"
    )]
    DoesNotLink(String),
    /// All sandboxes of this host together have less than one of it would take.
    #[error(
        "no sandbox of the component could be opened: {0}. Build it to need less, or ask the operator for more"
    )]
    DoesNotFit(String),
}

impl PublishRefusal {
    /// Builds the refusal of a component whose structure is broken.
    pub(crate) fn malformed(why: &str) -> Self {
        Self::Malformed(truncated(why, QUOTED_TEXT_BYTES_MAX).into_owned())
    }

    /// Builds the refusal of a component that does not fit the interfaces.
    pub(crate) fn does_not_link(why: &str) -> Self {
        Self::DoesNotLink(truncated(why, QUOTED_TEXT_BYTES_MAX).into_owned())
    }

    /// Returns the stable code by which every interface names it.
    pub fn code(&self) -> &'static str {
        Refusal::code(self)
    }
}

impl Refusal for PublishRefusal {
    fn told(&self) -> Told {
        let code = match self {
            Self::TooLarge { .. } => RefusalCode::ComponentTooLarge,
            Self::NotAComponent { .. } => RefusalCode::NotAComponent,
            Self::Malformed(_) => RefusalCode::ComponentMalformed,
            Self::Imports(_) => RefusalCode::ComponentImports,
            Self::NoWorld { .. } | Self::TwoWorlds => RefusalCode::ComponentExports,
            Self::DoesNotCompile(_) => RefusalCode::ComponentDoesNotCompile,
            Self::TooManyParts { .. }
            | Self::CompilesTooLong { .. }
            | Self::ExceedsSandbox { .. }
            | Self::DoesNotFit(_) => RefusalCode::ComponentExceedsLimits,
            Self::DoesNotLink(_) => RefusalCode::ComponentDoesNotLink,
        };
        code.alone()
    }
}

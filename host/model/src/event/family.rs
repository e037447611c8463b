//! Families of events: what a subscription is to. One row of the log may be an event of
//! several, told in the words of each.

use crate::EventKind;
use crate::wire::named;

named! {
    /// A family of events, which is what a reader subscribes to.
    pub enum EventFamily ("event family") {
        /// Leases: who held which execution, from when to when, and how each lease ended.
        LeaseHistory = "lease_history",
        /// Ends of executions.
        Completion = "completion",
        /// Signals and their effects.
        SignalDelivery = "signal_delivery",
        /// Labels that were attached and cleared.
        InstanceTags = "instance_tags",
        /// What operators did to executions, and questions to them.
        Operator = "operator",
        /// Workers that were registered, retired, marked dead or timed out.
        Registry = "registry",
        /// Flows: requests to cancel them, and their ends.
        Flow = "flow",
        /// Every change of an execution's state, from its creation to its end.
        Lifecycle = "lifecycle",
    }
}

named! {
    /// How a lease ended other than by its holder, within its time.
    pub enum LeaseEnd ("end of a lease") {
        /// It was not renewed in time.
        Expired = "lease_expired",
        /// Its attempt ran longer than the policy allows.
        AttemptTimeout = "attempt_timeout",
        /// An operator took it away, or marked its worker dead.
        Revoked = "lease_revoked",
        /// An operator ended the attempt in the place of its holder.
        Overridden = "overridden",
    }
}

impl EventFamily {
    /// Returns the kinds of rows of the log that may be events of the family.
    pub fn kinds(self) -> Vec<EventKind> {
        let all = EventKind::ALL.iter().copied();
        all.filter(|kind| self.has(*kind)).collect()
    }

    const fn has(self, kind: EventKind) -> bool {
        use EventKind as K;
        match self {
            Self::LeaseHistory => matches!(
                kind,
                K::Acquired
                    | K::Renewed
                    | K::Released
                    | K::Expired
                    | K::Reclaimed
                    | K::Revoked
                    | K::Success
                    | K::Failed
                    | K::Cancelled
                    | K::ExecutionExpired
                    | K::Skipped
                    | K::RetryScheduled
                    | K::Delayed
                    | K::WaitingChildren
                    | K::Suspended
            ),
            Self::Completion => kind.is_end(),
            Self::SignalDelivery => matches!(kind, K::Signalled),
            Self::InstanceTags => matches!(kind, K::Tagged | K::Cleared),
            Self::Operator => matches!(
                kind,
                K::Prioritized
                    | K::Replayed
                    | K::Blocked
                    | K::Unblocked
                    | K::Escalated
                    | K::FlowCancelRequested
            ),
            Self::Registry => matches!(
                kind,
                K::Registered | K::Retired | K::MarkedDead | K::TimedOut
            ),
            Self::Flow => kind.is_of_flow(),
            Self::Lifecycle => {
                kind.is_end()
                    || matches!(
                        kind,
                        K::Created
                            | K::Acquired
                            | K::Released
                            | K::Expired
                            | K::Reclaimed
                            | K::Revoked
                            | K::RetryScheduled
                            | K::Delayed
                            | K::Promoted
                            | K::WaitingChildren
                            | K::Blocked
                            | K::Unblocked
                            | K::Replayed
                            | K::Suspended
                            | K::Resumed
                            | K::Escalated
                    )
            }
        }
    }
}

impl EventKind {
    /// Whether it happens to a flow, and not to an execution.
    pub const fn is_of_flow(self) -> bool {
        matches!(self, Self::FlowEnded | Self::FlowCancelRequested)
    }

    /// Whether it is the end of an execution.
    pub const fn is_end(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Cancelled | Self::ExecutionExpired | Self::Skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_of_a_family_and_every_change_of_state_of_the_lifecycle() {
        for kind in EventKind::ALL {
            let of = EventFamily::ALL.iter().filter(|family| family.has(*kind));
            assert!(of.count() > 0, "{kind}");
        }
        for kind in EventFamily::Completion.kinds() {
            assert!(EventFamily::Lifecycle.has(kind), "{kind}");
        }
    }
}

-- Closed sets that are kept as text: the database refuses a word outside its set.
--
-- Checks rather than enums, because hosts of the last version run on this schema while a
-- fleet is updated, and their statements write these columns as text. A check compares a
-- word with at most nine others, which no statement that writes one of these rows can
-- measure. A set grows in its *expand* step, by replacing its constraint.

ALTER TABLE suspension
    ADD CONSTRAINT suspension_reason_is_known CHECK (reason IN (
        'waiting_for_signal', 'waiting_for_approval', 'waiting_for_callback',
        'waiting_for_tool_result', 'waiting_for_operator_review', 'paused_by_policy',
        'paused_by_budget', 'step_boundary', 'manual_pause')),
    ADD CONSTRAINT suspension_requester_is_known CHECK (requested_by IN (
        'worker', 'operator', 'policy', 'system_timeout_policy')),
    ADD CONSTRAINT suspension_timeout_behavior_is_known CHECK (timeout_behavior IN (
        'fail', 'cancel', 'expire', 'auto_resume_with_timeout_signal', 'escalate')),
    ADD CONSTRAINT suspension_close_reason_is_known CHECK (close_reason IN (
        'satisfied', 'operator_resume', 'cancelled', 'timed_out_fail', 'timed_out_cancel',
        'timed_out_expire', 'timed_out_auto_resume'));

ALTER TABLE waitpoint
    ADD CONSTRAINT waitpoint_close_reason_is_known CHECK (close_reason IN (
        'resumed', 'cancelled', 'timed_out_fail', 'timed_out_cancel', 'timed_out_expire',
        'timed_out_auto_resume', 'never_committed', 'proactive_close'));

ALTER TABLE signal
    ADD CONSTRAINT signal_effect_is_known CHECK (effect IN (
        'appended_to_waitpoint', 'resume_condition_satisfied', 'no_op',
        'signal_ignored_not_in_condition', 'signal_ignored_matcher_failed',
        'appended_to_waitpoint_duplicate', 'buffered_for_pending_waitpoint'));

using System.Collections.Frozen;

namespace Weir.Metadata;

/// <summary>
/// All settings of consumer groups. Their ranges may grow and never shrink: what a metadata log holds must stay valid.
/// </summary>
public static class GroupConfigCatalog
{
    /// <summary>Silence after which a member is fenced.</summary>
    public const string SessionTimeoutMs = "session.timeout.ms";

    /// <summary>How often members say that they live.</summary>
    public const string HeartbeatIntervalMs = "heartbeat.interval.ms";

    /// <summary>How long an owner may take to give up a partition.</summary>
    public const string RebalanceTimeoutMs = "rebalance.timeout.ms";

    /// <summary>When a member counts as stuck.</summary>
    public const string StuckAfterMs = "stuck.after.ms";

    /// <summary>When a stuck member loses what it holds.</summary>
    public const string FenceStuckAfterMs = "fence.stuck.after.ms";

    /// <summary>How long a delivered record is locked.</summary>
    public const string LockMs = "lock.ms";

    /// <summary>Deliveries after which a record is dead-lettered.</summary>
    public const string MaxDeliveries = "max.deliveries";

    /// <summary>Back-off before the second delivery.</summary>
    public const string RetryBackoffMs = "retry.backoff.ms";

    /// <summary>Largest back-off.</summary>
    public const string RetryBackoffMaxMs = "retry.backoff.max.ms";

    /// <summary>Most records that members hold.</summary>
    public const string MaxInFlight = "max.in.flight";

    /// <summary>What becomes of a key whose record failed for good.</summary>
    public const string KeyFailure = "key.failure";

    /// <summary>Whether nothing is delivered.</summary>
    public const string Paused = "paused";

    private const long HundredYearsMs = 36_500L * 24 * 60 * 60 * 1000;

    /// <summary>Every key, by name.</summary>
    public static IReadOnlyList<TopicConfigKey> Keys { get; } =
    [
        TopicConfigKey.Bound(
            FenceStuckAfterMs, TopicConfigType.Milliseconds, HundredYearsMs,
            "A member whose oldest record is being handled for so long loses what it holds; -1 for never."),
        TopicConfigKey.Number(
            HeartbeatIntervalMs, TopicConfigType.Milliseconds, 3000, 10, 600_000, "How often members say that they live."),
        TopicConfigKey.Choice(
            KeyFailure, ["block", "dead-letter", "pass"],
            "Keyed: what becomes of a key whose record was delivered max.deliveries times or rejected: its later records wait "
                + "until an operator acts, go to the dead-letter topic too, or pass. Only 'pass' and 'dead-letter' dead-letter it."),
        TopicConfigKey.Number(
            LockMs, TopicConfigType.Milliseconds, 30_000, 100, 12L * 60 * 60 * 1000,
            "Queue and keyed: a record that is not settled for so long is delivered again."),
        TopicConfigKey.Number(
            MaxDeliveries, TopicConfigType.Number, 10, 1, 10_000,
            "Queue and keyed: after so many failed deliveries a record goes to the dead-letter topic, if there is one."),
        TopicConfigKey.Number(
            MaxInFlight, TopicConfigType.Number, 100_000, 1, 1_000_000, "Queue and keyed: most records that all members hold."),
        TopicConfigKey.Choice(Paused, ["false", "true"], "Whether nothing is delivered."),
        TopicConfigKey.Number(
            RebalanceTimeoutMs, TopicConfigType.Milliseconds, 60_000, 100, 24L * 60 * 60 * 1000,
            "Stream: a member that does not give up a partition for so long is fenced."),
        TopicConfigKey.Number(
            RetryBackoffMaxMs, TopicConfigType.Milliseconds, 60_000, 0, HundredYearsMs,
            "Queue and keyed: largest delay before a failed record is delivered again."),
        TopicConfigKey.Number(
            RetryBackoffMs, TopicConfigType.Milliseconds, 1000, 0, HundredYearsMs,
            "Queue and keyed: delay before the second delivery; it doubles with each one."),
        TopicConfigKey.Number(
            SessionTimeoutMs, TopicConfigType.Milliseconds, 10_000, 100, 24L * 60 * 60 * 1000,
            "A member that is silent for so long is fenced."),
        TopicConfigKey.Number(
            StuckAfterMs, TopicConfigType.Milliseconds, 60_000, 100, HundredYearsMs,
            "A member whose oldest record is being handled for so long is shown as stuck."),
    ];

    private static readonly FrozenDictionary<string, TopicConfigKey> ByKey =
        Keys.ToFrozenDictionary(static key => key.Key, StringComparer.Ordinal);

    /// <summary>The setting of a key; null if there is none.</summary>
    public static TopicConfigKey? Find(string key) => ByKey.GetValueOrDefault(key);
}

using System.Collections.Immutable;
using System.Globalization;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>What becomes of a key whose record failed for good.</summary>
public enum KeyFailurePolicy
{
    /// <summary>The record and the key's later ones wait until somebody acts.</summary>
    Block,

    /// <summary>The record and those of the key that are already there go to the dead-letter topic.</summary>
    DeadLetter,

    /// <summary>The record goes to the dead-letter topic, the later ones pass.</summary>
    Pass,
}

/// <summary>A group's settings, typed: what was set over the defaults of <see cref="GroupConfigCatalog"/>. Immutable.</summary>
public sealed class GroupSettings
{
    private readonly ImmutableSortedDictionary<string, string> _set;

    private GroupSettings(ImmutableSortedDictionary<string, string> set)
    {
        _set = set;
        SessionTimeoutMs = (int)GetNumber(GroupConfigCatalog.SessionTimeoutMs);
        HeartbeatIntervalMs = (int)GetNumber(GroupConfigCatalog.HeartbeatIntervalMs);
        RebalanceTimeoutMs = (int)GetNumber(GroupConfigCatalog.RebalanceTimeoutMs);
        StuckAfterMs = GetNumber(GroupConfigCatalog.StuckAfterMs);
        FenceStuckAfterMs = GetNumber(GroupConfigCatalog.FenceStuckAfterMs) is > 0 and var fence ? fence : null;
        LockMs = (int)GetNumber(GroupConfigCatalog.LockMs);
        MaxDeliveries = (int)GetNumber(GroupConfigCatalog.MaxDeliveries);
        RetryBackoffMs = GetNumber(GroupConfigCatalog.RetryBackoffMs);
        RetryBackoffMaxMs = GetNumber(GroupConfigCatalog.RetryBackoffMaxMs);
        MaxInFlight = (int)GetNumber(GroupConfigCatalog.MaxInFlight);
        IsPaused = Get(GroupConfigCatalog.Paused) == "true";
        KeyFailure = Get(GroupConfigCatalog.KeyFailure) switch
        {
            "dead-letter" => KeyFailurePolicy.DeadLetter,
            "pass" => KeyFailurePolicy.Pass,
            _ => KeyFailurePolicy.Block,
        };
    }

    /// <summary>The defaults.</summary>
    public static GroupSettings Default { get; } =
        new(ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal));

    /// <summary>Silence after which a member is fenced.</summary>
    public int SessionTimeoutMs { get; }

    /// <summary>How often members say that they live.</summary>
    public int HeartbeatIntervalMs { get; }

    /// <summary>Stream: how long a member may take to give up a partition.</summary>
    public int RebalanceTimeoutMs { get; }

    /// <summary>Handling time of a record from which on a member is shown as stuck.</summary>
    public long StuckAfterMs { get; }

    /// <summary>Handling time of a record from which on a member is fenced; null for never.</summary>
    public long? FenceStuckAfterMs { get; }

    /// <summary>How long a delivered record is locked.</summary>
    public int LockMs { get; }

    /// <summary>Deliveries after which a record goes to the dead-letter topic, if there is one.</summary>
    public int MaxDeliveries { get; }

    /// <summary>Delay before the second delivery; it doubles with each one.</summary>
    public long RetryBackoffMs { get; }

    /// <summary>Largest delay.</summary>
    public long RetryBackoffMaxMs { get; }

    /// <summary>Most records that all members hold.</summary>
    public int MaxInFlight { get; }

    /// <summary>What becomes of a key whose record failed for good.</summary>
    public KeyFailurePolicy KeyFailure { get; }

    /// <summary>Whether nothing is delivered.</summary>
    public bool IsPaused { get; }

    /// <summary>Delay before the delivery that follows a failed one.</summary>
    /// <param name="deliveries">Deliveries so far, from 1.</param>
    public long BackoffMs(int deliveries)
    {
        var ms = RetryBackoffMs;
        for (var i = 1; i < deliveries && ms < RetryBackoffMaxMs; i++)
        {
            ms *= 2;
        }

        return Math.Min(ms, RetryBackoffMaxMs);
    }

    /// <summary>These settings with some changed; a null value goes back to the default.</summary>
    /// <param name="changes">Keys with new values.</param>
    /// <param name="faults">Takes every fault there is. With a fault, the result stands only for what had none.</param>
    public GroupSettings With(IEnumerable<ConfigSetting> changes, ICollection<string> faults)
    {
        var set = _set;
        foreach (var change in changes)
        {
            if (GroupConfigCatalog.Find(change.Name) is not { } key)
            {
                faults.Add($"'{change.Name}' is no group setting; did you mean '{NearestName.Find(GroupConfigCatalog.Keys.Select(static key => key.Key), change.Name)}'?");
            }
            else if (change.Value is { } text && key.Normalize(text) is not { Length: > 0 })
            {
                faults.Add($"{key.Key}={text} is out of range: {key.Range}");
            }
            else
            {
                set = change.Value is { } value ? set.SetItem(key.Key, key.Normalize(value)!) : set.Remove(key.Key);
            }
        }

        return set == _set ? this : new GroupSettings(set);
    }

    /// <summary>What leads from the defaults to these.</summary>
    public ConfigSetting[] ToChanges() =>
        [.. _set.Select(static pair => new ConfigSetting { Name = pair.Key, Value = pair.Value })];

    /// <summary>Every setting with its present value.</summary>
    public ConfigEntry[] Describe() =>
    [
        .. GroupConfigCatalog.Keys.Select(key => new ConfigEntry
        {
            Name = key.Key,
            Value = Get(key.Key),
            IsDefault = !_set.ContainsKey(key.Key),
        }),
    ];

    private string Get(string key) => _set.GetValueOrDefault(key) ?? GroupConfigCatalog.Find(key)!.Default;

    private long GetNumber(string key) => long.Parse(Get(key), CultureInfo.InvariantCulture);
}

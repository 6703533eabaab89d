using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>All settings of the cluster. Their ranges may grow and never shrink: what a metadata log holds must stay valid.</summary>
public static class ClusterConfigCatalog
{
    /// <summary>Whether clients may declare groups by consuming.</summary>
    public const string DeclareGroupsOnUse = "declare.groups.on.use";

    /// <summary>Every key, by name.</summary>
    public static IReadOnlyList<TopicConfigKey> Keys { get; } =
    [
        TopicConfigKey.Choice(
            DeclareGroupsOnUse, ["false", "true"],
            "Whether a consumer may declare the group that it names, if there is none. Otherwise operators declare all groups."),
    ];

    /// <summary>The setting of a key; null if there is none.</summary>
    public static TopicConfigKey? Find(string key) => Keys.FirstOrDefault(known => known.Key == key);
}

/// <summary>The cluster's settings, typed: what was set over the defaults of <see cref="ClusterConfigCatalog"/>. Immutable.</summary>
public sealed class ClusterSettings
{
    private readonly ImmutableSortedDictionary<string, string> _set;

    private ClusterSettings(ImmutableSortedDictionary<string, string> set)
    {
        _set = set;
        DeclaresGroupsOnUse = Get(ClusterConfigCatalog.DeclareGroupsOnUse) == "true";
    }

    /// <summary>The defaults.</summary>
    public static ClusterSettings Default { get; } =
        new(ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal));

    /// <summary>Whether clients may declare groups by consuming.</summary>
    public bool DeclaresGroupsOnUse { get; }

    /// <summary>These settings with some changed; a null value goes back to the default.</summary>
    /// <param name="changes">Keys with new values.</param>
    /// <param name="faults">Takes every fault there is. With a fault, the result stands only for what had none.</param>
    public ClusterSettings With(IEnumerable<ConfigSetting> changes, ICollection<string> faults)
    {
        var set = _set;
        foreach (var change in changes)
        {
            if (ClusterConfigCatalog.Find(change.Name) is not { } key)
            {
                faults.Add(
                    $"'{change.Name}' is no cluster setting; did you mean "
                        + $"'{NearestName.Find(ClusterConfigCatalog.Keys.Select(static key => key.Key), change.Name)}'?");
            }
            else if (change.Value is { } text && key.Normalize(text) is null)
            {
                faults.Add($"{key.Key}={text} is out of range: {key.Range}");
            }
            else
            {
                set = change.Value is { } value ? set.SetItem(key.Key, key.Normalize(value)!) : set.Remove(key.Key);
            }
        }

        return set == _set ? this : new ClusterSettings(set);
    }

    /// <summary>What leads from the defaults to these.</summary>
    public ConfigSetting[] ToChanges() =>
        [.. _set.Select(static pair => new ConfigSetting { Name = pair.Key, Value = pair.Value })];

    /// <summary>What leads from other settings to these; empty if they are equal.</summary>
    public ConfigSetting[] ChangesFrom(ClusterSettings before) =>
    [
        .. ClusterConfigCatalog.Keys
            .Where(key => before._set.GetValueOrDefault(key.Key) != _set.GetValueOrDefault(key.Key))
            .Select(key => new ConfigSetting { Name = key.Key, Value = _set.GetValueOrDefault(key.Key) }),
    ];

    /// <summary>Every setting with its present value.</summary>
    public ConfigEntry[] Describe() =>
    [
        .. ClusterConfigCatalog.Keys.Select(key => new ConfigEntry
        {
            Name = key.Key,
            Value = Get(key.Key),
            IsDefault = !_set.ContainsKey(key.Key),
        }),
    ];

    private string Get(string key) => _set.GetValueOrDefault(key) ?? ClusterConfigCatalog.Find(key)!.Default;
}

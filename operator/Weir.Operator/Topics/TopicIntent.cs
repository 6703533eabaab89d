using System.Globalization;
using Weir.Operator.Entities;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Operator.Topics;

/// <summary>What a specification asks for, in the cluster's words.</summary>
/// <param name="Name">The topic's name.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Partitions">Wanted partitions; null leaves them.</param>
/// <param name="Replicas">Wanted replicas; null leaves them.</param>
/// <param name="Configs">Wanted settings; others are left alone.</param>
internal sealed record TopicIntent(
    string Name, TopicKind? Kind, int? Partitions, int? Replicas, IReadOnlyDictionary<string, string> Configs)
{
    /// <summary>The name of the topic that a resource stands for.</summary>
    public static string NameOf(V1Alpha1Topic topic) => topic.Spec.TopicName ?? topic.Metadata.Name;

    /// <summary>Reads a specification; the API server may be too old to have checked it.</summary>
    /// <param name="topic">The resource.</param>
    /// <param name="faults">Every fault; empty if it can be used.</param>
    public static TopicIntent Read(V1Alpha1Topic topic, out IReadOnlyList<string> faults)
    {
        var found = new List<string>();
        var spec = topic.Spec;
        var name = NameOf(topic);
        if (!TopicName.IsValid(name))
        {
            found.Add($"'{name}' is no name of a topic: 1 to 249 of [a-zA-Z0-9._-]");
        }
        else if (TopicName.IsInternal(name))
        {
            found.Add($"'{name}': names that begin with __ belong to the brokers");
        }

        if (spec.Partitions is <= 0)
        {
            found.Add("partitions: must be 1 or more");
        }

        if (spec.Replicas is <= 0)
        {
            found.Add("replicas: must be 1 or more");
        }

        OneOf(found, "adoptionPolicy", spec.AdoptionPolicy, "AdoptIfMatching", "Adopt", "Never");
        OneOf(found, "deletionPolicy", spec.DeletionPolicy, "Retain", "Delete");
        OneOf(found, "missingPolicy", spec.MissingPolicy, "Recreate", "Report");
        OneOf(found, "kind", spec.Kind, "event", "entity");
        var configs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in spec.Config ?? [])
        {
            configs[key] = value;
        }

        Put(found, configs, "durability", "durability", spec.Durability);
        Put(found, configs, "retention.ms", "retention.ms", spec.Retention?.Ms?.ToString(CultureInfo.InvariantCulture));
        Put(found, configs, "retention.bytes", "retention.bytes", spec.Retention?.Bytes?.ToString(CultureInfo.InvariantCulture));
        if (configs.ContainsKey("partitions") || configs.ContainsKey("replicas"))
        {
            found.Add("config: partitions and replicas are fields of their own");
        }

        faults = found;
        TopicKind? kind = spec.Kind switch { "entity" => TopicKind.Entity, "event" => TopicKind.Event, _ => null };
        return new TopicIntent(name, kind, spec.Partitions, spec.Replicas, configs);
    }

    internal static void OneOf(List<string> faults, string field, string? value, params string[] allowed)
    {
        if (value is not null && !allowed.Contains(value, StringComparer.Ordinal))
        {
            faults.Add($"{field}: '{value}' is none of {string.Join(", ", allowed)}");
        }
    }

    internal static void Put(
        List<string> faults, Dictionary<string, string> configs, string key, string field, string? value)
    {
        if (value is null)
        {
            return;
        }

        if (configs.TryGetValue(key, out var other) && other != value)
        {
            faults.Add($"{field}: {value}, but config says {other}");
        }

        configs[key] = value;
    }
}

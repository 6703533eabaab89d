using System.Globalization;
using Weir.Client;
using Weir.Operator.Entities;
using Weir.Operator.Topics;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Operator.Groups;

/// <summary>What a specification asks for, in the cluster's words.</summary>
/// <param name="Name">The group's name.</param>
/// <param name="Mode">How its members share records.</param>
/// <param name="Topics">Topics and patterns, in order.</param>
/// <param name="Start">Where it starts when it is declared.</param>
/// <param name="DeadLetterTopic">Wanted dead-letter topic; null for none.</param>
/// <param name="Owner">Who answers for it; null leaves it.</param>
/// <param name="Configs">Wanted settings; others are left alone.</param>
internal sealed record GroupIntent(
    string Name, GroupMode? Mode, IReadOnlyList<string> Topics, ConsumerStart Start, string? DeadLetterTopic, string? Owner,
    IReadOnlyDictionary<string, string> Configs)
{
    /// <summary>The name of the group that a resource stands for.</summary>
    public static string NameOf(V1Alpha1ConsumerGroup group) => group.Spec.GroupName ?? group.Metadata.Name;

    /// <summary>Reads a specification; the API server may be too old to have checked it.</summary>
    /// <param name="group">The resource.</param>
    /// <param name="faults">Every fault; empty if it can be used.</param>
    public static GroupIntent Read(V1Alpha1ConsumerGroup group, out IReadOnlyList<string> faults)
    {
        var found = new List<string>();
        var spec = group.Spec;
        var name = NameOf(group);
        if (!TopicName.IsValid(name))
        {
            found.Add($"'{name}' is no name of a group: 1 to 249 of [a-zA-Z0-9._-]");
        }

        if (spec.Topics.Count == 0)
        {
            found.Add("topics: at least one is needed");
        }

        TopicIntent.OneOf(found, "mode", spec.Mode, "stream", "queue", "keyed");
        TopicIntent.OneOf(found, "adoptionPolicy", spec.AdoptionPolicy, "AdoptIfMatching", "Adopt", "Never");
        TopicIntent.OneOf(found, "deletionPolicy", spec.DeletionPolicy, "Retain", "Delete");
        if (spec.Mode is null or "stream" && (spec.Retry is not null || spec.DeadLetterTopic is not null))
        {
            found.Add("retry and deadLetterTopic are for the modes queue and keyed: a stream group commits offsets");
        }

        faults = found;
        GroupMode? mode = spec.Mode switch
        {
            "queue" => GroupMode.Queue,
            "keyed" => GroupMode.Keyed,
            "stream" => GroupMode.Stream,
            _ => null,
        };
        return new GroupIntent(
            name, mode, [.. spec.Topics.Order(StringComparer.Ordinal)], ReadStart(spec.Start, found), spec.DeadLetterTopic,
            spec.Owner, ReadConfigs(spec, found));
    }

    private static Dictionary<string, string> ReadConfigs(ConsumerGroupSpec spec, List<string> faults)
    {
        var configs = new Dictionary<string, string>(spec.Config ?? [], StringComparer.Ordinal);
        TopicIntent.Put(faults, configs, "paused", "paused", spec.Paused ? "true" : configs.GetValueOrDefault("paused", "false"));
        TopicIntent.Put(faults, configs, "max.deliveries", "retry.maxDeliveries", Text(spec.Retry?.MaxDeliveries));
        TopicIntent.Put(faults, configs, "retry.backoff.ms", "retry.backoffMs", Text(spec.Retry?.BackoffMs));
        TopicIntent.Put(faults, configs, "retry.backoff.max.ms", "retry.maxBackoffMs", Text(spec.Retry?.MaxBackoffMs));
        return configs;
    }

    private static ConsumerStart ReadStart(StartSpec? start, List<string> faults)
    {
        switch (start?.Position)
        {
            case null or "earliest":
                return ConsumerStart.Earliest;
            case "latest":
                return ConsumerStart.Latest;
            case "offset" when start.Offset is >= 0:
                return ConsumerStart.AtOffset(start.Offset.Value);
            case "timestamp" when start.Timestamp is { } time:
                return ConsumerStart.AtTimestamp(new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc)));
            default:
                faults.Add($"start: '{start.Position}' needs its value, or is none of earliest, latest, offset, timestamp");
                return ConsumerStart.Earliest;
        }
    }

    private static string? Text(long? value) => value?.ToString(CultureInfo.InvariantCulture);
}

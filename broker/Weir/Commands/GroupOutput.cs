using System.Globalization;
using Weir.Cli.Output;
using Weir.Client;

namespace Weir.Cli.Commands;

/// <summary>Prints groups, their members and partitions. What is not known is null in JSON and - for people.</summary>
internal static class GroupOutput
{
    public static void WriteList(OutputFormat format, IReadOnlyList<GroupSummary> groups)
    {
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(groups.Select(ToJson));
            return;
        }

        Terminal.WriteRows(
            format, ["group", "mode", "topics", "dead letters", "owner", "coordinator"],
            groups.Select(static group => new[]
            {
                group.Name, Lower(group.Mode), string.Join(',', group.Topics), group.DeadLetterTopic ?? "-", group.Owner ?? "-",
                group.Coordinator < 0 ? "-" : Text(group.Coordinator),
            }));
    }

    public static void WriteDescription(OutputFormat format, GroupDescription group)
    {
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(new
            {
                Declaration = ToJson(group.Declaration),
                group.State,
                group.Epoch,
                group.Lag,
                LagMs = group.LagAge?.TotalMilliseconds,
                Members = group.Members.Select(ToJson),
                Partitions = group.Partitions.Select(ToJson),
            });
            return;
        }

        if (format == OutputFormat.Table)
        {
            WriteHeading(group);
        }

        Terminal.WriteRows(
            format, ["partition", "committed", "high watermark", "lag", "lag age", "owner", "in flight", "waiting", "blocked keys", "dead letters"],
            group.Partitions.Select(partition => new[]
            {
                $"{(partition.Topic.Length > 0 ? partition.Topic : partition.TopicId)}-{Text(partition.Partition)}", Text(partition.Committed),
                Text(partition.HighWatermark), Text(partition.Lag), Text(partition.LagAge), OwnerOf(group, partition), Text(partition.InFlight),
                Text(partition.Waiting), Text(partition.BlockedKeys), Text(partition.DeadLettered),
            }));
    }

    public static void WriteMembers(OutputFormat format, GroupDescription group)
    {
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(group.Members.Select(ToJson));
            return;
        }

        Terminal.WriteRows(
            format, ["member", "id", "instance", "epoch", "silent for", "handling for", "in flight", "state", "partitions"],
            group.Members.Select(static member => new[]
            {
                member.Name, member.MemberId.ToString(), member.InstanceId ?? "-", Text(member.MemberEpoch), Text(member.SilentFor),
                Text(member.HandlingFor), Text(member.InFlight), member.IsStuck ? "stuck" : "ok",
                string.Join(',', member.Partitions.Select(static owned => $"{owned.Topic}-{Text(owned.Partition)}")),
            }));
    }

    public static void WriteReset(OutputFormat format, IReadOnlyList<ResetOffsets> offsets, bool isDryRun)
    {
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(new { Done = !isDryRun, Offsets = offsets });
            return;
        }

        if (format == OutputFormat.Table && isDryRun)
        {
            Console.WriteLine("Nothing is changed; it would be:");
        }

        Terminal.WriteRows(
            format, ["partition", "before", "after"],
            offsets.Select(static offset => new[] { $"{offset.Topic}-{Text(offset.Partition)}", Text(offset.Before), Text(offset.After) }));
    }

    private static void WriteHeading(GroupDescription group)
    {
        var declared = group.Declaration;
        Console.WriteLine($"{declared.Name}: {Lower(declared.Mode)} group, {Lower(group.State)}, {group.Members.Count} member(s), coordinator "
            + $"{(declared.Coordinator < 0 ? "-" : Text(declared.Coordinator))}, id {declared.GroupId}");
        Console.WriteLine($"Topics: {string.Join(", ", declared.Topics)}; from {declared.Start}");
        Console.WriteLine($"Dead letters: {declared.DeadLetterTopic ?? "-"}. Owner: {declared.Owner ?? "-"}");
        var set = declared.Configs.Where(static config => !config.IsDefault).ToList();
        Console.WriteLine(set.Count == 0
            ? "Settings: all defaults"
            : $"Settings: {string.Join(", ", set.Select(static config => $"{config.Name}={config.Value}"))}");
        Console.WriteLine($"Lag: {Text(group.Lag)} record(s), the oldest {Text(group.LagAge)} old");
    }

    private static string OwnerOf(GroupDescription group, GroupPartition partition) => partition.Owner is { } owner
        ? group.Members.FirstOrDefault(member => member.MemberId == owner)?.Name ?? owner.ToString()
        : "-";

    private static object ToJson(GroupSummary group) => new
    {
        group.Name,
        group.GroupId,
        group.Mode,
        group.Topics,
        From = group.Start.Position,
        FromValue = group.Start.Value,
        group.DeadLetterTopic,
        group.Owner,
        group.CreatedAt,
        Coordinator = group.Coordinator < 0 ? (int?)null : group.Coordinator,
        Configs = group.Configs.ToDictionary(static config => config.Name, static config => config.Value),
    };

    private static object ToJson(GroupMember member) => new
    {
        member.MemberId,
        member.InstanceId,
        member.Name,
        member.MemberEpoch,
        member.JoinedAt,
        SilentForMs = member.SilentFor.TotalMilliseconds,
        HandlingForMs = member.HandlingFor.TotalMilliseconds,
        member.IsStuck,
        member.InFlight,
        member.Partitions,
    };

    private static object ToJson(GroupPartition partition) => new
    {
        partition.Topic,
        partition.Partition,
        partition.Committed,
        partition.LogStartOffset,
        partition.HighWatermark,
        partition.Lag,
        LagMs = partition.LagAge?.TotalMilliseconds,
        partition.Owner,
        partition.InFlight,
        partition.Waiting,
        partition.BlockedKeys,
        partition.DeadLettered,
    };

    private static string Lower<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Text(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static string Text(TimeSpan? time) => time is { } known
        ? string.Create(CultureInfo.InvariantCulture, $"{known.TotalSeconds:0.###} s")
        : "-";
}

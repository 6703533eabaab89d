using System.CommandLine;
using System.Globalization;
using Weir.Cli.Output;
using Weir.Client;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Creates, lists, describes, alters, deletes and trims topics.</summary>
internal static class TopicCommands
{
    private static readonly Argument<string> Name = new("NAME") { Description = "Topic name." };

    private static readonly Option<int?> Partitions = new("--partitions") { Description = "Number of partitions." };

    private static readonly Option<short?> Replicas = new("--replicas")
    {
        Description = "Replicas of each partition. Default 3, or as many as there are brokers.",
    };

    private static readonly Option<TopicKind> Kind = new("--kind")
    {
        Description = "What the topic is for: event; or entity: every record has a key, and the last one of a key is its state.",
        DefaultValueFactory = static _ => TopicKind.Event,
    };

    private static readonly Option<string[]> Config = new("--config")
    {
        Description = "Settings as KEY=VALUE; see docs/cli.md for the keys.",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string[]> Unset = new("--unset")
    {
        Description = "Settings that go back to their default.",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Check everything, change nothing." };

    private static readonly Option<bool> Internal = new("--internal") { Description = "The brokers' own topics too." };

    private static readonly Option<int> Partition = new("--partition") { Description = "Partition.", Required = true };

    private static readonly Option<long> Before = new("--before")
    {
        Description = "First offset to keep; -1 for the high watermark.",
        Required = true,
    };

    public static Command Create() => WeirCommand.Create(
        "topic", "Create, list, describe, alter, delete and trim topics.",
        WeirCommand.WithClient("create", "Create a topic.", CreateAsync, Name, Partitions, Replicas, Kind, Config,
            DryRun),
        WeirCommand.WithClient("list", "List topics.", ListAsync, Internal),
        WeirCommand.WithClient("describe", "Describe a topic and its partitions.", DescribeAsync, Name),
        WeirCommand.WithClient(
            "alter", "Change settings or add partitions. Keys stay on the partitions that there were (key.partitions); new "
                + "partitions get records without a key.",
            AlterAsync, Name, Partitions, Config, Unset),
        WeirCommand.WithClient("delete", "Delete a topic and its data.", DeleteAsync, Name),
        WeirCommand.WithClient("trim", "Delete the records of a partition before an offset.", TrimAsync, Name, Partition, Before));

    private static async Task<int> CreateAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var created = await client.Admin.CreateTopicAsync(
            parsed.GetRequiredValue(Name),
            new TopicSpec
            {
                Partitions = parsed.GetValue(Partitions) ?? 1,
                ReplicationFactor = parsed.GetValue(Replicas) ?? -1,
                Kind = parsed.GetValue(Kind),
                Configs = ReadConfigs(parsed),
                ValidateOnly = parsed.GetValue(DryRun),
            },
            cancellationToken).ConfigureAwait(false);
        switch (parsed.GetValue(WeirCommand.Output))
        {
            case OutputFormat.Json:
                Terminal.WriteJson(created);
                break;
            case OutputFormat.Value:
                Console.WriteLine(created.Name);
                break;
            default:
                var verb = parsed.GetValue(DryRun) ? "could be created" : "created";
                Console.WriteLine($"Topic {created.Name} {verb} with {created.Partitions} partition(s).");
                break;
        }

        return ExitCode.Success;
    }

    private static async Task<int> ListAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var all = await client.Admin.ListTopicsAsync(cancellationToken).ConfigureAwait(false);
        var topics = all.Where(topic => !topic.IsInternal || parsed.GetValue(Internal));
        var format = parsed.GetValue(WeirCommand.Output);
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(topics.Select(static topic => new
            {
                topic.Name,
                topic.TopicId,
                topic.Kind,
                topic.Durability,
                Partitions = topic.Partitions.Count,
                topic.KeyPartitions,
                topic.IsInternal,
            }));
            return ExitCode.Success;
        }

        Terminal.WriteRows(format, ["name", "kind", "durability", "partitions"], topics.Select(static topic => new[]
        {
            topic.Name, Lower(topic.Kind), Lower(topic.Durability), Text(topic.Partitions.Count),
        }));
        return ExitCode.Success;
    }

    private static async Task<int> DescribeAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var topic = await client.Admin.DescribeTopicAsync(parsed.GetRequiredValue(Name), cancellationToken)
            .ConfigureAwait(false);
        var format = parsed.GetValue(WeirCommand.Output);
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(new
            {
                topic.Name,
                topic.TopicId,
                topic.Kind,
                topic.Durability,
                topic.CreatedAt,
                Configs = topic.Configs.ToDictionary(static config => config.Name, static config => config.Value),
                Partitions = topic.Partitions.Select(static partition => new
                {
                    partition.Partition,
                    partition.Placement.Leader,
                    partition.Placement.Replicas,
                    partition.Placement.Isr,
                    partition.LogStartOffset,
                    partition.HighWatermark,
                    partition.LogEndOffset,
                    partition.SizeBytes,
                    partition.Error,
                }),
            });
            return ExitCode.Success;
        }

        if (format == OutputFormat.Table)
        {
            Console.WriteLine($"{topic.Name}: {Lower(topic.Kind)} topic, durability {Lower(topic.Durability)}, id {topic.TopicId}");
            var set = topic.Configs.Where(static config => !config.IsDefault).ToList();
            Console.WriteLine(set.Count == 0
                ? "Settings: all defaults"
                : $"Settings: {string.Join(", ", set.Select(static config => $"{config.Name}={config.Value}"))}");
        }

        Terminal.WriteRows(
            format, ["partition", "leader", "replicas", "isr", "log start", "high watermark", "bytes", "state"],
            topic.Partitions.Select(static partition => new[]
            {
                Text(partition.Partition), Text(partition.Placement.Leader), string.Join(',', partition.Placement.Replicas),
                string.Join(',', partition.Placement.Isr), Text(partition.LogStartOffset), Text(partition.HighWatermark),
                Text(partition.SizeBytes),
                partition.Error == Protocol.Errors.ErrorCode.None ? "online" : partition.Error.ToString(),
            }));
        return ExitCode.Success;
    }

    private static async Task<int> AlterAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var configs = ReadConfigs(parsed);
        foreach (var unset in parsed.GetValue(Unset) ?? [])
        {
            configs[unset] = null;
        }

        if (configs.Count == 0 && parsed.GetValue(Partitions) is null)
        {
            throw new UsageException("nothing to alter: give --partitions, --config or --unset");
        }

        var name = parsed.GetRequiredValue(Name);
        await client.Admin.AlterTopicAsync(name, parsed.GetValue(Partitions), configs, cancellationToken).ConfigureAwait(false);
        var metadata = await client.Admin.GetMetadataAsync([name], cancellationToken).ConfigureAwait(false);
        return parsed.GetValue(Partitions) is not null && metadata.Topics is [var topic]
            ? Say(parsed, $"altered: {Describe(topic)}")
            : Say(parsed, "altered");
    }

    private static async Task<int> DeleteAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        await client.Admin.DeleteTopicAsync(parsed.GetRequiredValue(Name), cancellationToken).ConfigureAwait(false);
        return Say(parsed, "deleted");
    }

    private static async Task<int> TrimAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var start = await client.Admin.DeleteRecordsAsync(
            parsed.GetRequiredValue(Name), parsed.GetValue(Partition), parsed.GetValue(Before), cancellationToken)
            .ConfigureAwait(false);
        return Say(parsed, $"partition {parsed.GetValue(Partition)} starts at offset {start}");
    }

    private static string Describe(TopicSummary topic) => topic.KeyPartitions == topic.Partitions.Count
        ? $"{topic.Partitions.Count} partition(s), and keys are spread over all of them"
        : $"{topic.Partitions.Count} partitions, of which the first {topic.KeyPartitions} take keys as before and the others "
            + "records without a key";

    private static int Say(ParseResult parsed, string outcome)
    {
        var name = parsed.GetRequiredValue(Name);
        switch (parsed.GetValue(WeirCommand.Output))
        {
            case OutputFormat.Json:
                Terminal.WriteJson(new { Name = name, Outcome = outcome });
                break;
            case OutputFormat.Value:
                Console.WriteLine(name);
                break;
            default:
                Console.WriteLine($"Topic {name} {outcome}.");
                break;
        }

        return ExitCode.Success;
    }

    private static Dictionary<string, string?> ReadConfigs(ParseResult parsed)
    {
        var configs = new Dictionary<string, string?>();
        foreach (var (name, value) in KeyValue.ParseAll(parsed.GetValue(Config) ?? [], "--config"))
        {
            configs[name] = value;
        }

        return configs;
    }

    private static string Lower<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}

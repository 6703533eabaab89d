using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Weir.Cli.Output;
using Weir.Cli.Perf;
using Weir.Client;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Measures the machine, and a broker against it.</summary>
internal static class PerfCommands
{
    private static readonly Option<long> Records = new("--records")
    {
        Description = "How many records.",
        DefaultValueFactory = static _ => 1_000_000,
    };

    private static readonly Option<int> Size = new("--size")
    {
        Description = "Bytes of a record's value.",
        DefaultValueFactory = static _ => 100,
    };

    private static readonly Option<int> Producers = new("--producers")
    {
        Description = "Producers at once, each on a connection of its own.",
        DefaultValueFactory = static _ => 1,
    };

    private static readonly Option<int> BatchBytes = new("--batch-bytes")
    {
        Description = "Largest batch.",
        DefaultValueFactory = static _ => 512 * 1024,
    };

    private static readonly Option<int> Partitions = new("--partitions")
    {
        Description = "Partitions of the topic if it is created.",
        DefaultValueFactory = static _ => 1,
    };

    private static readonly Option<string> Topic = new("--topic")
    {
        Description = "Topic to use; created if it is missing.",
        DefaultValueFactory = static _ => "perf",
    };

    private static readonly Option<bool> Raw = new("--raw")
    {
        Description = "Deliver stored batches: walked and checked, their records not decoded.",
    };

    private static readonly Option<string> Dir = new("--dir")
    {
        Description = "Directory on the disk to measure.",
        DefaultValueFactory = static _ => Directory.GetCurrentDirectory(),
    };

    private static readonly Option<FileInfo?> Limits = new("--limits")
    {
        Description = "Limits from an earlier `weir perf limits --output json`; measured in brief without it.",
    };

    private static readonly Option<GroupMode> Mode = new("--mode") { Description = "stream, queue or keyed." };

    private static readonly Option<int> Members = new("--members")
    {
        Description = "Members of the group.",
        DefaultValueFactory = static _ => 4,
    };

    private static readonly Option<int> Keys = new("--keys")
    {
        Description = "Publish over so many keys; 0 for none.",
    };

    private static readonly Option<bool> Publish = new("--publish") { Description = "Publish the records first." };

    private static readonly Option<double> Delay = new("--delay")
    {
        Description = "Seconds from the start to the time of the first.",
        DefaultValueFactory = static _ => 20,
    };

    private static readonly Option<double> Over = new("--over")
    {
        Description = "Seconds over which their times are spread.",
        DefaultValueFactory = static _ => 60,
    };

    public static Command Create() => WeirCommand.Create(
        "perf", "Measure this machine, and a broker against it.",
        CreateLimits(),
        WeirCommand.WithClient(
            "produce", "Publish as fast as acknowledgements allow.", ProduceAsync,
            Records, Size, Keys, Producers, BatchBytes, Partitions, Topic, ProduceCommand.AcksOption, ProduceCommand.Compression,
            Limits, Dir),
        WeirCommand.WithClient("consume", "Read a topic from its start.", ConsumeAsync, Records, Topic, Raw, Limits, Dir),
        WeirCommand.WithClient(
            "group", "Consume a topic from its start with the members of a group; a queue acknowledges each record.", GroupAsync,
            Records, Size, Topic, Partitions, Mode, Members, Keys, Publish, Limits, Dir),
        WeirCommand.WithClient(
            "delayed", "Publish records that are due later, and measure how late a queue group delivers them.", DelayedAsync,
            Records, Topic, Partitions, Members, Delay, Over),
        WeirCommand.WithClient(
            "members", "Let many members join a stream group and share a topic out, and one leave.", MembersAsync, Topic, Partitions, Members),
        WeirCommand.WithClient(
            "latency", "Publish one record at a time, each awaited.", LatencyAsync,
            Records, Size, Topic, Partitions, ProduceCommand.AcksOption, Limits, Dir));

    private static Command CreateLimits()
    {
        var command = WeirCommand.Create(
            "limits", "Measure loopback throughput and round trip, durable sequential write, and the latency of a sync.", Dir);
        command.SetAction(static (parsed, _) => Terminal.RunAsync(() =>
        {
            var limits = MachineLimits.Measure(parsed.GetRequiredValue(Dir), isQuick: false);
            if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
            {
                Terminal.WriteJson(limits);
                return Task.FromResult(ExitCode.Success);
            }

            Terminal.WriteRows(OutputFormat.Table, ["limit", "value", "p99", "max"],
            [
                ["loopback throughput", $"{limits.LoopbackMegabytesPerSecond:F0} MB/s", "-", "-"],
                ["loopback round trip, 64 bytes", .. Row(limits.RoundTripMicroseconds)],
                ["sequential write, fdatasync each 8 MiB", $"{limits.SequentialWriteMegabytesPerSecond:F0} MB/s", "-", "-"],
                ["4 KiB write with fdatasync", .. Row(limits.SyncMicroseconds)],
            ]);
            return Task.FromResult(ExitCode.Success);
        }));
        return command;
    }

    private static string[] Row(Percentiles latency) =>
        [$"{latency.P50:F0} us", $"{latency.P99:F0} us", $"{latency.Max:F0} us"];

    private static async Task<int> ProduceAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var limits = ReadLimits(parsed);
        await EnsureTopicAsync(parsed, client, cancellationToken).ConfigureAwait(false);
        var load = new ProduceLoad(
            parsed.GetRequiredValue(WeirCommand.Server), parsed.GetRequiredValue(Topic), parsed.GetValue(Size),
            parsed.GetValue(Keys),
            new ProducerOptions
            {
                Acks = parsed.GetValue(ProduceCommand.AcksOption),
                Compression = parsed.GetValue(ProduceCommand.Compression),
                BatchBytes = parsed.GetValue(BatchBytes),
                BufferBytes = 64 * 1024 * 1024,
            });
        var result = await load.RunAsync(parsed.GetValue(Records), parsed.GetValue(Producers), cancellationToken)
            .ConfigureAwait(false);
        return Report(parsed, result with { RatioToLimit = result.MegabytesPerSecond / limits.PublishMegabytesPerSecond });
    }

    private static async Task<int> ConsumeAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var limits = ReadLimits(parsed);
        var load = new ConsumeLoad(client, parsed.GetRequiredValue(Topic));
        var records = parsed.GetValue(Records);
        var result = parsed.GetValue(Raw)
            ? await load.RunRawAsync(records, cancellationToken).ConfigureAwait(false)
            : await load.RunDecodedAsync(records, cancellationToken).ConfigureAwait(false);
        return Report(parsed, result with { RatioToLimit = result.MegabytesPerSecond / limits.LoopbackMegabytesPerSecond });
    }

    private static async Task<int> GroupAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var limits = ReadLimits(parsed);
        var (topic, records) = (parsed.GetRequiredValue(Topic), parsed.GetValue(Records));
        if (parsed.GetValue(Publish))
        {
            await EnsureTopicAsync(parsed, client, cancellationToken).ConfigureAwait(false);
            await GroupLoad.PublishAsync(client, topic, parsed.GetValue(Size), records, parsed.GetValue(Keys), cancellationToken)
                .ConfigureAwait(false);
        }

        var load = new GroupLoad(parsed.GetRequiredValue(WeirCommand.Server), topic, parsed.GetValue(Mode));
        var result = await load.RunAsync(client, records, parsed.GetValue(Members), cancellationToken).ConfigureAwait(false);
        return Report(parsed, result with { RatioToLimit = result.MegabytesPerSecond / limits.LoopbackMegabytesPerSecond });
    }

    private static async Task<int> DelayedAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        await EnsureTopicAsync(parsed, client, cancellationToken).ConfigureAwait(false);
        var load = new DelayedLoad(client, parsed.GetRequiredValue(Topic));
        var result = await load.RunAsync(
            parsed.GetValue(Records), TimeSpan.FromSeconds(parsed.GetValue(Delay)), TimeSpan.FromSeconds(parsed.GetValue(Over)),
            parsed.GetValue(Members), cancellationToken).ConfigureAwait(false);

        // The limit is how fast they become due.
        return Report(parsed, result with { RatioToLimit = result.RecordsPerSecond * parsed.GetValue(Over) / result.Records });
    }

    private static async Task<int> MembersAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        await EnsureTopicAsync(parsed, client, cancellationToken).ConfigureAwait(false);
        var load = new MembersLoad(parsed.GetRequiredValue(WeirCommand.Server), parsed.GetRequiredValue(Topic));
        var result = await load.RunAsync(client, parsed.GetValue(Members), parsed.GetValue(Partitions), cancellationToken).ConfigureAwait(false);
        if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
        {
            Terminal.WriteJson(result);
            return ExitCode.Success;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Members} members share {result.Partitions} partitions after {result.SettledSeconds:F2} s; one left with "
                + $"{result.LeftWith}: {result.Moved} moved, after {result.MovedSeconds:F2} s"));
        return ExitCode.Success;
    }

    private static async Task<int> LatencyAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var limits = ReadLimits(parsed);
        await EnsureTopicAsync(parsed, client, cancellationToken).ConfigureAwait(false);
        var result = await LatencyLoad.RunAsync(
            client, parsed.GetRequiredValue(Topic), parsed.GetValue(Size), parsed.GetValue(Records),
            parsed.GetValue(ProduceCommand.AcksOption), cancellationToken).ConfigureAwait(false);
        return Report(parsed, result with { RatioToLimit = result.P50 / limits.PublishMicroseconds });
    }

    private static MachineLimits ReadLimits(ParseResult parsed)
    {
        if (parsed.GetValue(Limits) is not { } file)
        {
            return MachineLimits.Measure(parsed.GetRequiredValue(Dir), isQuick: true);
        }

        try
        {
            return JsonSerializer.Deserialize<MachineLimits>(File.ReadAllText(file.FullName), JsonSerializerOptions.Web)
                ?? throw new UsageException($"'{file}' holds no limits");
        }
        catch (JsonException e)
        {
            throw new UsageException($"'{file}' is not what `weir perf limits --output json` prints: {e.Message}");
        }
    }

    private static async Task EnsureTopicAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        try
        {
            await client.Admin.CreateTopicAsync(
                parsed.GetRequiredValue(Topic), new TopicSpec { Partitions = parsed.GetValue(Partitions) }, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (WeirException e) when (e.Code == ErrorCode.TopicExists)
        {
            // The load goes to the topic that is there.
        }
    }

    private static int Report(ParseResult parsed, PerfResult result)
    {
        switch (parsed.GetValue(WeirCommand.Output))
        {
            case OutputFormat.Json:
                Terminal.WriteJson(result);
                break;
            case OutputFormat.Value:
                Console.WriteLine(result.RecordsPerSecond.ToString("F0", CultureInfo.InvariantCulture));
                break;
            default:
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{result.Records} records in {result.Seconds:F2} s: {result.RecordsPerSecond:N0} records/s, "
                        + $"{result.MegabytesPerSecond:N1} MB/s, {result.RatioToLimit:P1} of the limit"));
                if (result.Max > 0)
                {
                    Console.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"latency in us: p50 {result.P50:F0}, p99 {result.P99:F0}, p99.9 {result.P999:F0}, max {result.Max:F0}"));
                }

                break;
        }

        return result.Failed == 0 ? ExitCode.Success : ExitCode.NotAcknowledged;
    }
}

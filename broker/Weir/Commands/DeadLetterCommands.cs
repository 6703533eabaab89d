using System.CommandLine;
using System.Globalization;
using Weir.Cli.Output;
using Weir.Client;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Lists, shows and replays what queue and keyed groups gave up.</summary>
internal static class DeadLetterCommands
{
    private const string ReplaySuffix = ".replay";
    private const int ReplaysAtOnce = 64;

    private static readonly Argument<string> Group = new("GROUP") { Description = "The group that gave them up." };

    private static readonly Option<long?> Count = new("--count") { Description = "Stop after so many." };

    private static readonly Option<int?> Partition = new("--partition") { Description = "Only this partition of the dead-letter topic." };

    private static readonly Option<long?> Offset = new("--offset")
    {
        Description = "Only the dead letter at this offset, whether it was replayed before or not; needs --partition.",
    };

    private static readonly Option<string?> To = new("--to") { Description = "Publish to this topic instead of those they come from." };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Say what would be replayed, and publish nothing." };

    public static Command Create() => WeirCommand.Create(
        "dlq", "List, show and replay dead letters.",
        WeirCommand.WithClient("list", "List groups that have a dead-letter topic, and what is in it.", ListAsync),
        WeirCommand.WithClient("show", "Print the dead letters of a group, with the reasons.", ShowAsync, Group, Count, Partition, Offset),
        WeirCommand.WithClient(
            "replay", "Publish the dead letters of a group again, each once: those of earlier replays are left out.",
            ReplayAsync, Group, Partition, Offset, To, DryRun));

    private static async Task<int> ListAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var groups = await client.Admin.ListGroupsAsync(cancellationToken).ConfigureAwait(false);
        var rows = new List<DeadLetterSummary>();
        foreach (var topic in groups.Where(static one => one.DeadLetterTopic is not null).GroupBy(static one => one.DeadLetterTopic!))
        {
            var byGroup = topic.ToDictionary(static one => one.Name, static _ => new Tally());
            var consumer = client.CreateConsumer(topic.Key, new ConsumerOptions { StopAtEnd = true, ReuseBuffers = true });
            await using (consumer.ConfigureAwait(false))
            {
                await foreach (var record in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                {
                    if (DeadLetter.TryRead(record, out var letter) && byGroup.TryGetValue(letter.Group, out var tally))
                    {
                        tally.Add(record.AppendTime);
                    }
                }
            }

            foreach (var (group, tally) in byGroup)
            {
                var replayed = groups.FirstOrDefault(one => one.Name == group + ReplaySuffix) is { } replay
                    ? await LeftAsync(client, replay.Name, cancellationToken).ConfigureAwait(false)
                    : tally.Count;
                rows.Add(new DeadLetterSummary(group, topic.Key, tally.Count, Math.Min(replayed, tally.Count), tally.Oldest, tally.Newest));
            }
        }

        Write(parsed.GetValue(WeirCommand.Output), rows);
        return ExitCode.Success;
    }

    private static async Task<int> ShowAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var group = await FindAsync(client, parsed, cancellationToken).ConfigureAwait(false);
        var format = parsed.GetValue(WeirCommand.Output);
        var left = parsed.GetValue(Count) ?? long.MaxValue;
        await foreach (var (record, letter) in ReadAsync(client, group, parsed, cancellationToken).ConfigureAwait(false))
        {
            if (left-- <= 0)
            {
                break;
            }

            DeadLetterOutput.Write(format, record, letter);
        }

        return ExitCode.Success;
    }

    private static async Task<int> ReplayAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var group = await FindAsync(client, parsed, cancellationToken).ConfigureAwait(false);
        if (parsed.GetValue(Offset) is not null || parsed.GetValue(DryRun))
        {
            return await ReplayChosenAsync(parsed, client, group, cancellationToken).ConfigureAwait(false);
        }

        if (parsed.GetValue(Partition) is not null)
        {
            throw new UsageException("--partition goes with --offset, or with --dry-run");
        }

        return await ReplayRestAsync(parsed, client, group, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Those that are named, whatever was replayed before.</summary>
    private static async Task<int> ReplayChosenAsync(
        ParseResult parsed, WeirClient client, GroupSummary group, CancellationToken cancellationToken)
    {
        var isDryRun = parsed.GetValue(DryRun);
        var replayed = 0;
        var replayer = new Replayer(client, parsed.GetValue(To));
        await using (replayer.ConfigureAwait(false))
        {
            await foreach (var (record, letter) in ReadAsync(client, group, parsed, cancellationToken).ConfigureAwait(false))
            {
                replayed++;
                if (isDryRun)
                {
                    DeadLetterOutput.Write(parsed.GetValue(WeirCommand.Output), record, letter);
                }
                else
                {
                    await replayer.PublishAsync(letter, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        if (replayed == 0 && parsed.GetValue(Offset) is not null)
        {
            throw new WeirException(ErrorCode.InvalidRequest, $"there is no dead letter of group '{group.Name}' at that offset");
        }

        return isDryRun ? ExitCode.Success : Say(parsed, replayed);
    }

    /// <summary>
    /// Those that no replay has published yet: a group of its own keeps account of that, so an interrupted replay goes on where
    /// it was. One that was published and not yet accounted for is published again.
    /// </summary>
    private static async Task<int> ReplayRestAsync(
        ParseResult parsed, WeirClient client, GroupSummary group, CancellationToken cancellationToken)
    {
        var name = group.Name + ReplaySuffix;
        await DeclareAsync(client, name, group, cancellationToken).ConfigureAwait(false);
        var replayed = 0;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var replayer = new Replayer(client, parsed.GetValue(To));
        var member = client.CreateQueueConsumer(name, new QueueConsumerOptions { IsKeyed = group.Mode == GroupMode.Keyed });
        await using (replayer.ConfigureAwait(false))
        await using (member.ConfigureAwait(false))
        {
            WeirException? fault = null;
            var running = member.RunAsync(
                async (delivery, ct) =>
                {
                    if (!DeadLetter.TryRead(delivery, out var letter) || letter.Group != group.Name)
                    {
                        return;
                    }

                    try
                    {
                        await replayer.PublishAsync(letter, ct).ConfigureAwait(false);
                        Interlocked.Increment(ref replayed);
                    }
                    catch (WeirException e)
                    {
                        fault = e;
                        await end.CancelAsync().ConfigureAwait(false);
                        throw;
                    }
                },
                ReplaysAtOnce, end.Token);
            while (!running.IsCompleted && await LeftAsync(client, name, cancellationToken).ConfigureAwait(false) > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await end.CancelAsync().ConfigureAwait(false);
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (fault is not null)
            {
                throw fault;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return Say(parsed, replayed);
    }

    private static async Task DeclareAsync(WeirClient client, string name, GroupSummary group, CancellationToken cancellationToken)
    {
        try
        {
            var spec = new GroupSpec
            {
                Mode = group.Mode, Topics = [group.DeadLetterTopic!], Owner = $"replays of the dead letters of {group.Name}",
            };
            await client.Admin.CreateGroupAsync(name, spec, cancellationToken).ConfigureAwait(false);
        }
        catch (WeirException e) when (e.Code == ErrorCode.GroupExists)
        {
            // There was a replay before.
        }
    }

    private static async Task<GroupSummary> FindAsync(WeirClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(Offset) is not null && parsed.GetValue(Partition) is null)
        {
            throw new UsageException("--offset needs --partition");
        }

        var name = parsed.GetRequiredValue(Group);
        var groups = await client.Admin.ListGroupsAsync(cancellationToken).ConfigureAwait(false);
        var group = groups.FirstOrDefault(one => one.Name == name)
            ?? throw new WeirException(ErrorCode.UnknownGroup, $"group '{name}' does not exist: `weir dlq list` names those with dead letters");
        return group.DeadLetterTopic is not null
            ? group
            : throw new WeirException(
                ErrorCode.InvalidRequest, $"group '{name}' has no dead-letter topic: `weir group alter {name} --dead-letter TOPIC` gives it one");
    }

    private static async IAsyncEnumerable<(ConsumedRecord Record, DeadLetter Letter)> ReadAsync(
        WeirClient client, GroupSummary group, ParseResult parsed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var offset = parsed.GetValue(Offset);
        var consumer = client.CreateConsumer(group.DeadLetterTopic!, new ConsumerOptions
        {
            StopAtEnd = true,
            Partitions = parsed.GetValue(Partition) is { } partition ? [partition] : null,
            Start = offset is { } at ? ConsumerStart.AtOffset(at) : ConsumerStart.Earliest,
        });
        await using (consumer.ConfigureAwait(false))
        {
            await foreach (var record in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                if (offset is { } only && record.Offset != only)
                {
                    break;
                }

                if (DeadLetter.TryRead(record, out var letter) && letter.Group == group.Name)
                {
                    yield return (record, letter);
                }
            }
        }
    }

    /// <summary>What a group has not done yet. Not known means that there may be something.</summary>
    private static async Task<long> LeftAsync(WeirClient client, string group, CancellationToken cancellationToken)
    {
        var described = await client.Admin.DescribeGroupAsync(group, cancellationToken).ConfigureAwait(false);
        return described.Partitions.Count == 0 ? long.MaxValue : described.Lag ?? long.MaxValue;
    }

    private static void Write(OutputFormat format, List<DeadLetterSummary> rows)
    {
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(rows);
            return;
        }

        Terminal.WriteRows(
            format, ["group", "dead-letter topic", "dead letters", "not replayed", "oldest", "newest"],
            rows.Select(static row => new[]
            {
                row.Group, row.DeadLetterTopic, Text(row.Count), Text(row.NotReplayed), Text(row.Oldest), Text(row.Newest),
            }));
    }

    private static int Say(ParseResult parsed, int replayed)
    {
        if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
        {
            Terminal.WriteJson(new { Replayed = replayed });
        }
        else
        {
            Console.WriteLine($"{Text(replayed)} dead letter(s) replayed.");
        }

        return ExitCode.Success;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(DateTimeOffset? time) => time?.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture) ?? "-";

    private sealed record DeadLetterSummary(
        string Group, string DeadLetterTopic, long Count, long NotReplayed, DateTimeOffset? Oldest, DateTimeOffset? Newest);

    private sealed class Tally
    {
        public long Count { get; private set; }

        public DateTimeOffset? Oldest { get; private set; }

        public DateTimeOffset? Newest { get; private set; }

        public void Add(DateTimeOffset time)
        {
            Count++;
            Oldest = Oldest is { } old && old < time ? old : time;
            Newest = Newest is { } known && known > time ? known : time;
        }
    }

    /// <summary>Publishes dead letters again, with a producer for each topic.</summary>
    private sealed class Replayer(WeirClient client, string? target) : IAsyncDisposable
    {
        private readonly Dictionary<string, WeirProducer> _producers = [];

        public async Task PublishAsync(DeadLetter letter, CancellationToken cancellationToken)
        {
            WeirProducer? producer;
            var topic = target ?? letter.Topic;
            lock (_producers)
            {
                if (!_producers.TryGetValue(topic, out producer))
                {
                    producer = _producers[topic] = client.CreateProducer(topic);
                }
            }

            await producer.SendAsync(letter.ToReplay(), cancellationToken).ConfigureAwait(false);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var producer in _producers.Values)
            {
                await producer.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}

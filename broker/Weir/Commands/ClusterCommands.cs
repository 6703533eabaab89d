using System.CommandLine;
using System.Globalization;
using Weir.Cli.Output;
using Weir.Client;
using Weir.Client.Admin;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Shows the cluster, and changes which broker does what.</summary>
internal static class ClusterCommands
{
    private static readonly Argument<int> Broker = new("BROKER") { Description = "Node id of the broker." };

    private static readonly Argument<string> Topic = new("TOPIC") { Description = "Topic name." };

    private static readonly Option<bool> Undo = new("--undo") { Description = "Take it back." };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Check everything, change nothing." };

    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until it is done, and show progress." };

    private static readonly Option<bool> After = new("--after-restart")
    {
        Description = "Whether the broker has come back in full, instead of whether it may be stopped.",
    };

    private static readonly Option<string[]> Assignments = new("--partition")
    {
        Description = "PARTITION=BROKER,BROKER,…: where its replicas shall be, the preferred leader first. May be given again.",
    };

    private static readonly Option<short?> Replicas = new("--replicas") { Description = "How many replicas each partition shall have." };

    private static readonly Option<long?> Throttle = new("--throttle")
    {
        Description = "Bytes per second that a broker copies of a partition at most; stays set as reassignment.bytes.per.second.",
    };

    private static readonly Option<bool> Cancel = new("--cancel") { Description = "Go back to where the replicas were." };

    private static readonly Option<string?> OfTopic = new("--topic") { Description = "Only this topic." };

    private static readonly Option<int?> UncleanPartition = new("--unclean-partition")
    {
        Description = "A partition of --topic without a leader, to be led by --broker although acknowledged records may be lost.",
    };

    private static readonly Option<int?> UncleanBroker = new("--broker") { Description = "The replica that shall lead it." };

    private static readonly Argument<string[]> Settings = new("SETTING")
    {
        Description = "KEY=VALUE; see docs/cli.md for the keys.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string[]> Unset = new("--unset")
    {
        Description = "Settings that go back to their default.",
        AllowMultipleArgumentsPerToken = true,
    };

    public static Command Create() => WeirCommand.Create(
        "cluster", "Show the cluster and administer its brokers.",
        WeirCommand.WithClient("status", "Controller, quorum, and what is not as it should be.", StatusAsync),
        WeirCommand.WithClient("describe", "The same, with every setting of the cluster.", DescribeAsync),
        WeirCommand.WithClient("set", "Change settings of the cluster.", SetAsync, Settings, Unset, DryRun),
        WeirCommand.WithClient("brokers", "List brokers.", BrokersAsync),
        WeirCommand.WithClient(
            "check", "Ask whether a broker may be stopped without harm. Exit code 1 if not.", CheckAsync, Broker, After),
        WeirCommand.WithClient("drain", "Let others lead what a broker leads; it keeps following.", DrainAsync, Broker, Undo, DryRun, Wait),
        WeirCommand.WithClient("cordon", "Place no new replicas on a broker.", CordonAsync, Broker, Undo, DryRun),
        WeirCommand.WithClient(
            "decommission", "Move all replicas away from a broker, so that it can be removed.", DecommissionAsync, Broker, Undo,
            DryRun, Wait),
        WeirCommand.WithClient("remove", "Forget a broker that holds nothing and is stopped.", RemoveAsync, Broker, DryRun),
        WeirCommand.WithClient(
            "reassign", "Move the replicas of a topic, or change how many there are.", ReassignAsync, Topic, Assignments,
            Replicas, Throttle, Cancel, DryRun, Wait),
        WeirCommand.WithClient(
            "elect", "Give leaderships back to the preferred replicas.", ElectAsync, OfTopic, UncleanPartition, UncleanBroker));

    private static async Task<int> StatusAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var status = await client.Admin.Cluster.DescribeAsync(cancellationToken).ConfigureAwait(false);
        if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
        {
            Terminal.WriteJson(status);
            return ExitCode.Success;
        }

        WriteStatus(status);
        return ExitCode.Success;
    }

    private static async Task<int> DescribeAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var status = await client.Admin.Cluster.DescribeAsync(cancellationToken).ConfigureAwait(false);
        var format = parsed.GetValue(WeirCommand.Output);
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(status);
            return ExitCode.Success;
        }

        if (format == OutputFormat.Table)
        {
            WriteStatus(status);
        }

        Terminal.WriteRows(
            format, ["setting", "value", "set"],
            status.Configs.Select(static config => new[] { config.Name, config.Value ?? "-", config.IsDefault ? "default" : "yes" }));
        return ExitCode.Success;
    }

    private static async Task<int> SetAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var configs = new Dictionary<string, string?>();
        foreach (var (name, value) in KeyValue.ParseAll(parsed.GetValue(Settings) ?? [], "the setting"))
        {
            configs[name] = value;
        }

        foreach (var name in parsed.GetValue(Unset) ?? [])
        {
            configs[name] = null;
        }

        if (configs.Count == 0)
        {
            throw new UsageException("nothing to set: give KEY=VALUE or --unset KEY");
        }

        await client.Admin.AlterClusterAsync(configs, parsed.GetValue(DryRun), cancellationToken).ConfigureAwait(false);
        var set = configs.Select(static pair => pair.Value is null ? $"{pair.Key} to its default" : $"{pair.Key} to {pair.Value}");
        return Done(parsed, $"set {string.Join(", ", set)}");
    }

    private static void WriteStatus(ClusterStatus status)
    {
        var up = status.Brokers.Count(static broker => !broker.IsFenced);
        Console.WriteLine($"Cluster {status.ClusterId}: controller {status.ControllerId}, epoch {status.ControllerEpoch}");
        Console.WriteLine($"Brokers: {up} of {status.Brokers.Count} up. Voters: {string.Join(", ", status.Voters.Select(Describe))}");
        Console.WriteLine(
            $"{status.Groups} groups, {status.Topics} topics, {status.Partitions} partitions: {status.OfflinePartitions} without a leader, "
                + $"{status.UnderMinIsr} below min.insync.replicas, {status.UnderReplicated} under-replicated, "
                + $"{status.Reassigning} moving");
    }

    private static async Task<int> BrokersAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var status = await client.Admin.Cluster.DescribeAsync(cancellationToken).ConfigureAwait(false);
        var format = parsed.GetValue(WeirCommand.Output);
        if (format == OutputFormat.Json)
        {
            Terminal.WriteJson(status.Brokers);
            return ExitCode.Success;
        }

        Terminal.WriteRows(
            format, ["broker", "address", "rack", "state", "leads", "replicas", "out of sync", "version"],
            status.Brokers.Select(static broker => new[]
            {
                Text(broker.NodeId), broker.Address, broker.Rack ?? "-", State(broker), Text(broker.Leaders),
                Text(broker.Replicas), Text(broker.OutOfSync), broker.Version,
            }));
        return ExitCode.Success;
    }

    private static async Task<int> CheckAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var check = parsed.GetValue(After) ? BrokerCheck.PostRestart : BrokerCheck.PreRestart;
        var result = await client.Admin.Cluster.CheckBrokerAsync(parsed.GetRequiredValue(Broker), check, cancellationToken)
            .ConfigureAwait(false);
        if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
        {
            Terminal.WriteJson(result);
        }
        else
        {
            Console.WriteLine(result.IsOk ? "ok" : $"no, {result.CaughtUpPercent} % of its replicas are in sync:");
            foreach (var reason in result.Reasons)
            {
                Console.WriteLine($"  {reason}");
            }
        }

        return result.IsOk ? ExitCode.Success : ExitCode.Failed;
    }

    private static Task<int> DrainAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken) =>
        ChangeAsync(
            parsed, client, BrokerAction.Drain, BrokerAction.Undrain,
            static broker => broker.Leaders == 0 ? null : $"leads {broker.Leaders} partitions still", cancellationToken);

    private static Task<int> CordonAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken) =>
        ChangeAsync(parsed, client, BrokerAction.Cordon, BrokerAction.Uncordon, static _ => null, cancellationToken);

    private static Task<int> DecommissionAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken) =>
        ChangeAsync(
            parsed, client, BrokerAction.Decommission, BrokerAction.AbortDecommission,
            static broker => broker.Replicas == 0 ? null : $"holds {broker.Replicas} replicas still", cancellationToken);

    private static async Task<int> RemoveAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        await client.Admin.Cluster.ChangeBrokerAsync(
            parsed.GetRequiredValue(Broker), BrokerAction.Remove, parsed.GetValue(DryRun), cancellationToken).ConfigureAwait(false);
        return Done(parsed, $"broker {parsed.GetRequiredValue(Broker)} is forgotten");
    }

    private static async Task<int> ChangeAsync(
        ParseResult parsed, WeirClient client, BrokerAction action, BrokerAction undo, Func<ClusterBroker, string?> left,
        CancellationToken cancellationToken)
    {
        var broker = parsed.GetRequiredValue(Broker);
        var isUndo = parsed.GetValue(Undo);
        var isDryRun = parsed.GetValue(DryRun);
        await client.Admin.Cluster.ChangeBrokerAsync(broker, isUndo ? undo : action, isDryRun, cancellationToken)
            .ConfigureAwait(false);
        if (!isUndo && !isDryRun && parsed.CommandResult.Command.Options.Contains(Wait) && parsed.GetValue(Wait))
        {
            await WaitAsync(client, status => left(status.Brokers.First(one => one.NodeId == broker)), cancellationToken)
                .ConfigureAwait(false);
        }

        return Done(parsed, $"broker {broker} {Describe(isUndo ? undo : action)}");
    }

    private static async Task<int> ReassignAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var topic = parsed.GetRequiredValue(Topic);
        var isDryRun = parsed.GetValue(DryRun);
        var cluster = client.Admin.Cluster;
        if (parsed.GetValue(Throttle) is { } throttle && !isDryRun)
        {
            var bound = throttle.ToString(CultureInfo.InvariantCulture);
            await client.Admin.AlterTopicAsync(
                topic, configs: new Dictionary<string, string?> { ["reassignment.bytes.per.second"] = bound }, ct: cancellationToken)
                .ConfigureAwait(false);
        }

        if (parsed.GetValue(Cancel))
        {
            await cluster.CancelReassignmentAsync(topic, cancellationToken).ConfigureAwait(false);
        }
        else if (parsed.GetValue(Replicas) is { } replicas)
        {
            await cluster.ChangeReplicationFactorAsync(topic, replicas, isDryRun, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await cluster.ReassignAsync(topic, ReadAssignments(parsed.GetValue(Assignments) ?? []), isDryRun, cancellationToken)
                .ConfigureAwait(false);
        }

        if (parsed.GetValue(Wait) && !isDryRun)
        {
            await WaitAsync(
                client, static status => status.Reassigning == 0 ? null : $"{status.Reassigning} partitions are moving still",
                cancellationToken).ConfigureAwait(false);
        }

        return Done(parsed, $"topic {topic}: replicas are {(parsed.GetValue(Wait) ? "where they shall be" : "being moved")}");
    }

    private static async Task<int> ElectAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var topic = parsed.GetValue(OfTopic);
        if (parsed.GetValue(UncleanPartition) is { } partition)
        {
            if (topic is null || parsed.GetValue(UncleanBroker) is not { } broker)
            {
                throw new UsageException("--unclean-partition needs --topic and --broker");
            }

            var given = await client.Admin.Cluster.ElectUncleanLeaderAsync(topic, partition, broker, cancellationToken)
                .ConfigureAwait(false);
            if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
            {
                Terminal.WriteJson(given);
                return ExitCode.Success;
            }

            return Done(parsed, $"broker {broker} leads {topic}-{partition} from offset {given.Offset} on; {Describe(given)}");
        }

        await client.Admin.Cluster.ElectPreferredLeadersAsync(topic, cancellationToken).ConfigureAwait(false);
        return Done(parsed, "the preferred replicas that are in sync lead");
    }

    /// <summary>Waits until nothing is left, and says on the way what is.</summary>
    private static async Task WaitAsync(
        WeirClient client, Func<ClusterStatus, string?> left, CancellationToken cancellationToken)
    {
        while (left(await client.Admin.Cluster.DescribeAsync(cancellationToken).ConfigureAwait(false)) is { } text)
        {
            Terminal.WriteProgress(text);
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken).ConfigureAwait(false);
        }

        Terminal.WriteProgress(string.Empty);
    }

    private static Dictionary<int, IReadOnlyList<int>> ReadAssignments(string[] texts)
    {
        if (texts.Length == 0)
        {
            throw new UsageException("give --partition PARTITION=BROKER,…, --replicas N or --cancel");
        }

        var read = new Dictionary<int, IReadOnlyList<int>>();
        foreach (var (partition, brokers) in KeyValue.ParseAll(texts, "--partition"))
        {
            read[Number(partition)] = [.. brokers.Split(',').Select(Number)];
        }

        return read;
    }

    private static int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new UsageException($"'{text}' is no number: give --partition PARTITION=BROKER,BROKER,…");

    private static int Done(ParseResult parsed, string text)
    {
        if (parsed.GetValue(WeirCommand.Output) == OutputFormat.Json)
        {
            Terminal.WriteJson(new { Done = !IsDryRun(parsed) });
        }
        else
        {
            Console.WriteLine(IsDryRun(parsed) ? "It could be done." : $"{char.ToUpperInvariant(text[0])}{text[1..]}.");
        }

        return ExitCode.Success;
    }

    private static bool IsDryRun(ParseResult parsed) =>
        parsed.CommandResult.Command.Options.Contains(DryRun) && parsed.GetValue(DryRun);

    private static string Describe(UncleanElection given)
    {
        var lost = given.EndOffset > given.Offset
            ? $"offsets {given.Offset} to {given.EndOffset - 1} are lost, of which those below {given.CommittedOffset} were acknowledged"
            : "no replica that could be asked had more";
        return given.Unreachable.Count == 0
            ? lost
            : $"{lost}; broker {string.Join(", ", given.Unreachable)} could not be asked, and what it had from there on is lost too";
    }

    private static string Describe(QuorumVoter voter) =>
        voter.LastFetch is null ? $"{voter.NodeId} (not heard from)" : Text(voter.NodeId);

    private static string Describe(BrokerAction action) => action switch
    {
        BrokerAction.Drain => "gives up its leaderships",
        BrokerAction.Undrain => "may lead again",
        BrokerAction.Cordon => "gets no new replicas",
        BrokerAction.Uncordon => "may get new replicas",
        BrokerAction.Decommission => "gives up its replicas",
        _ => "keeps its replicas",
    };

    private static string State(ClusterBroker broker)
    {
        var states = new List<string> { broker.IsFenced ? "down" : "up" };
        if (broker.IsDraining)
        {
            states.Add("draining");
        }

        if (broker.IsDecommissioning)
        {
            states.Add("decommissioning");
        }
        else if (broker.IsCordoned)
        {
            states.Add("cordoned");
        }

        return string.Join(", ", states);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

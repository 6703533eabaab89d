using System.CommandLine;
using Weir.Cli.Output;
using Weir.Client;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Declares, alters, lists, describes, resets and deletes consumer groups.</summary>
internal static class GroupCommands
{
    private static readonly Argument<string> Name = new("NAME") { Description = "Group name." };

    private static readonly Option<GroupMode> Mode = new("--mode")
    {
        Description = "How its members share records: stream, queue or keyed. It cannot be changed later.",
        Required = true,
    };

    private static readonly Option<string[]> Topics = new("--topics")
    {
        Description = "TOPIC,TOPIC,…: topics that exist, and patterns in which * stands for anything.",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string> From = new("--from")
    {
        Description = "Where it starts in what is there: earliest, latest, offset:N or timestamp:ISO.",
        DefaultValueFactory = static _ => "earliest",
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

    private static readonly Option<string?> DeadLetter = new("--dead-letter")
    {
        Description = "Event topic for records that cannot be processed; for alter, empty for none.",
    };

    private static readonly Option<string?> Owner = new("--owner")
    {
        Description = "Who answers for it, for people; for alter, empty for nobody.",
    };

    private static readonly Option<bool> IfNotExists = new("--if-not-exists")
    {
        Description = "Succeed, and change nothing, if there is a group of this name.",
    };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Check everything, change nothing." };

    private static readonly Option<string> To = new("--to")
    {
        Description = "Where to: earliest, latest, offset:N, timestamp:ISO or shift:N, which may be negative.",
        Required = true,
    };

    private static readonly Option<string?> OfTopic = new("--topic") { Description = "Only this topic." };

    private static readonly Option<int?> OfPartition = new("--partition") { Description = "Only this partition." };

    private static readonly Option<bool> Force = new("--force")
    {
        Description = "Take what they hold from members that are there, instead of refusing.",
    };

    public static Command Create() => WeirCommand.Create(
        "group", "Declare, alter, list, describe, reset and delete consumer groups.",
        WeirCommand.WithClient(
            "create", "Declare a group.", CreateAsync, Name, Mode, Topics, From, Config, DeadLetter, Owner, IfNotExists, DryRun),
        WeirCommand.WithClient("alter", "Change what is declared of a group.", AlterAsync, Name, Topics, Config, Unset, DeadLetter, Owner, DryRun),
        WeirCommand.WithClient("list", "List groups.", ListAsync),
        WeirCommand.WithClient("describe", "Describe a group and how far it is.", DescribeAsync, Name),
        WeirCommand.WithClient("members", "List the members of a group.", MembersAsync, Name),
        WeirCommand.WithClient(
            "reset", "Move the offsets of a group; prints them before and after.", ResetAsync, Name, To, OfTopic, OfPartition, DryRun, Force),
        WeirCommand.WithClient("delete", "Delete a group with what it has consumed; records stay.", DeleteAsync, Name));

    private static async Task<int> CreateAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var spec = new GroupSpec
        {
            Mode = parsed.GetValue(Mode),
            Topics = ReadTopics(parsed),
            Start = PositionText.ReadStart(parsed.GetRequiredValue(From), From.Name),
            Configs = ReadConfigs(parsed),
            DeadLetterTopic = parsed.GetValue(DeadLetter),
            Owner = parsed.GetValue(Owner),
            ValidateOnly = parsed.GetValue(DryRun),
        };
        try
        {
            await client.Admin.CreateGroupAsync(parsed.GetRequiredValue(Name), spec, cancellationToken).ConfigureAwait(false);
        }
        catch (WeirException e) when (e.Code == ErrorCode.GroupExists && parsed.GetValue(IfNotExists))
        {
            return Say(parsed, "exists");
        }

        return Say(parsed, parsed.GetValue(DryRun) ? "could be created" : "created");
    }

    private static async Task<int> AlterAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var configs = ReadConfigs(parsed);
        foreach (var name in parsed.GetValue(Unset) ?? [])
        {
            configs[name] = null;
        }

        var change = new GroupChange
        {
            Topics = ReadTopics(parsed),
            Configs = configs,
            DeadLetterTopic = parsed.GetValue(DeadLetter),
            Owner = parsed.GetValue(Owner),
            ValidateOnly = parsed.GetValue(DryRun),
        };
        if (change is { Topics.Count: 0, Configs.Count: 0, DeadLetterTopic: null, Owner: null })
        {
            throw new UsageException("nothing to alter: give --topics, --config, --unset, --dead-letter or --owner");
        }

        await client.Admin.AlterGroupAsync(parsed.GetRequiredValue(Name), change, cancellationToken).ConfigureAwait(false);
        return Say(parsed, parsed.GetValue(DryRun) ? "could be altered" : "altered");
    }

    private static async Task<int> ListAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var groups = await client.Admin.ListGroupsAsync(cancellationToken).ConfigureAwait(false);
        GroupOutput.WriteList(parsed.GetValue(WeirCommand.Output), groups);
        return ExitCode.Success;
    }

    private static async Task<int> DescribeAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var group = await client.Admin.DescribeGroupAsync(parsed.GetRequiredValue(Name), cancellationToken).ConfigureAwait(false);
        GroupOutput.WriteDescription(parsed.GetValue(WeirCommand.Output), group);
        return ExitCode.Success;
    }

    private static async Task<int> MembersAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var group = await client.Admin.DescribeGroupAsync(parsed.GetRequiredValue(Name), cancellationToken).ConfigureAwait(false);
        GroupOutput.WriteMembers(parsed.GetValue(WeirCommand.Output), group);
        return ExitCode.Success;
    }

    private static async Task<int> ResetAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var offsets = await client.Admin.ResetGroupAsync(
            parsed.GetRequiredValue(Name),
            new GroupResetSpec
            {
                To = PositionText.ReadTarget(parsed.GetRequiredValue(To), To.Name),
                Topic = parsed.GetValue(OfTopic),
                Partition = parsed.GetValue(OfPartition),
                DryRun = parsed.GetValue(DryRun),
                Force = parsed.GetValue(Force),
            },
            cancellationToken).ConfigureAwait(false);
        GroupOutput.WriteReset(parsed.GetValue(WeirCommand.Output), offsets, parsed.GetValue(DryRun));
        return ExitCode.Success;
    }

    private static async Task<int> DeleteAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        await client.Admin.DeleteGroupAsync(parsed.GetRequiredValue(Name), cancellationToken).ConfigureAwait(false);
        return Say(parsed, "deleted");
    }

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
                Console.WriteLine($"Group {name} {outcome}.");
                break;
        }

        return ExitCode.Success;
    }

    private static List<string> ReadTopics(ParseResult parsed) =>
    [
        .. (parsed.GetValue(Topics) ?? []).SelectMany(static text => text.Split(
            ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)),
    ];

    private static Dictionary<string, string?> ReadConfigs(ParseResult parsed) =>
        KeyValue.ParseAll(parsed.GetValue(Config) ?? [], Config.Name)
            .GroupBy(static pair => pair.Name, StringComparer.Ordinal)
            .ToDictionary(static pairs => pairs.Key, static pairs => (string?)pairs.Last().Value);
}

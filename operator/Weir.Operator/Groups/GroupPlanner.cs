using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Protocol.Messages;

namespace Weir.Operator.Groups;

/// <summary>What is to be done about a group.</summary>
internal enum GroupStep
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It is to be declared.</summary>
    Create,

    /// <summary>Its declaration is to be changed.</summary>
    Alter,

    /// <summary>The specification cannot be carried out, and nothing is changed.</summary>
    Refuse,
}

/// <summary>The decision about a group.</summary>
/// <param name="Step">What is to be done.</param>
/// <param name="Reason">For a refusal: one word for programs.</param>
/// <param name="Message">Why, for people.</param>
/// <param name="Change">With Alter: what changes.</param>
/// <param name="IsAdoption">Whether a group that was there already is taken over.</param>
internal sealed record GroupPlan(
    GroupStep Step, string Reason = "", string Message = "", GroupChange? Change = null, bool IsAdoption = false);

/// <summary>Decides what is to be done about a group. Pure.</summary>
internal static class GroupPlanner
{
    /// <param name="intent">What is wanted.</param>
    /// <param name="spec">Its policies.</param>
    /// <param name="status">What was known after the last pass.</param>
    /// <param name="live">The group as it is declared; null if there is none.</param>
    /// <param name="wasCreating">Whether the last pass was about to declare it, and may have.</param>
    public static GroupPlan Plan(
        GroupIntent intent, ConsumerGroupSpec spec, ConsumerGroupStatus? status, GroupSummary? live, bool wasCreating)
    {
        if (live is null)
        {
            return new GroupPlan(
                GroupStep.Create, Message: status?.GroupId is { } gone ? $"somebody deleted the group {gone}" : "it is new");
        }

        if (intent.Mode is { } mode && mode != live.Mode)
        {
            return Refuse("ModeMismatch", $"the group is of mode {Text(live.Mode)}, which cannot become {Text(mode)}");
        }

        var isOurs = status?.GroupId == live.GroupId.ToString();
        var (change, differences) = Compare(intent, isOurs ? status : null, live);
        if (!isOurs)
        {
            var policy = spec.AdoptionPolicy ?? "AdoptIfMatching";
            if (policy == "Never" && !wasCreating)
            {
                return Refuse("AlreadyExists", "the group was there before this resource; adoptionPolicy Never leaves it alone");
            }

            if (policy != "Adopt" && differences.Count > 0)
            {
                return Refuse("ExistsDifferent", $"the group was there before this resource and differs: {string.Join("; ", differences)}");
            }
        }

        return differences.Count == 0
            ? new GroupPlan(GroupStep.None, IsAdoption: !isOurs)
            : new GroupPlan(GroupStep.Alter, Message: string.Join("; ", differences), Change: change, IsAdoption: !isOurs);
    }

    private static (GroupChange Change, List<string> Differences) Compare(
        GroupIntent intent, ConsumerGroupStatus? status, GroupSummary live)
    {
        var change = new GroupChange();
        var differences = new List<string>();
        if (!intent.Topics.SequenceEqual(live.Topics.Order(StringComparer.Ordinal)))
        {
            change.Topics = intent.Topics;
            differences.Add($"topics {string.Join(",", live.Topics)} instead of {string.Join(",", intent.Topics)}");
        }

        if ((intent.DeadLetterTopic ?? string.Empty) != (live.DeadLetterTopic ?? string.Empty))
        {
            change.DeadLetterTopic = intent.DeadLetterTopic ?? string.Empty;
            differences.Add($"dead-letter topic '{live.DeadLetterTopic}' instead of '{intent.DeadLetterTopic}'");
        }

        if (intent.Owner is { } owner && owner != (live.Owner ?? string.Empty))
        {
            change.Owner = owner;
            differences.Add($"owner '{live.Owner}' instead of '{owner}'");
        }

        var configs = ConfigDiff.Of(intent.Configs, status?.ManagedConfig, live.Configs);
        change.Configs = configs;
        differences.AddRange(configs.Select(static pair => $"{pair.Key} is not {pair.Value ?? "the default"}"));
        return (change, differences);
    }

    private static GroupPlan Refuse(string reason, string message) => new(GroupStep.Refuse, reason, message);

    private static string Text(GroupMode mode) => mode.ToString().ToLowerInvariant();
}

using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Protocol.Messages;
using TopicSpec = Weir.Operator.Entities.TopicSpec;

namespace Weir.Operator.Topics;

/// <summary>A topic as it is.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Replicas">Replicas of each partition, by index.</param>
/// <param name="Configs">Every setting; null if they were not asked for in this pass.</param>
/// <param name="IsMoving">Whether replicas of the cluster are being moved.</param>
internal sealed record TopicView(
    Guid Id, TopicKind Kind, IReadOnlyList<int> Replicas, IReadOnlyList<ConfigValue>? Configs, bool IsMoving)
{
    public int Partitions => Replicas.Count;
}

/// <summary>What is to be done about a topic.</summary>
internal enum TopicStep
{
    /// <summary>Nothing: it is as it shall be, or a change of it is on its way.</summary>
    None,

    /// <summary>It is to be created.</summary>
    Create,

    /// <summary>Partitions or settings are to be changed.</summary>
    Alter,

    /// <summary>The number of replicas is to be changed.</summary>
    ChangeReplicas,

    /// <summary>The specification cannot be carried out, and nothing is changed.</summary>
    Refuse,
}

/// <summary>The decision about a topic.</summary>
/// <param name="Step">What is to be done.</param>
/// <param name="Reason">For a refusal: one word for programs.</param>
/// <param name="Message">Why, for people.</param>
/// <param name="Partitions">With Alter: new number of partitions; null leaves it.</param>
/// <param name="Configs">With Alter: settings to change.</param>
/// <param name="IsAdoption">Whether a topic that was there already is taken over.</param>
internal sealed record TopicPlan(
    TopicStep Step, string Reason = "", string Message = "", int? Partitions = null,
    IReadOnlyDictionary<string, string?>? Configs = null, bool IsAdoption = false);

/// <summary>Decides what is to be done about a topic. Pure.</summary>
internal static class TopicPlanner
{
    /// <param name="intent">What is wanted.</param>
    /// <param name="spec">Its policies.</param>
    /// <param name="status">What was known after the last pass.</param>
    /// <param name="live">The topic as it is; null if there is none.</param>
    /// <param name="wasCreating">Whether the last pass was about to create it, and may have.</param>
    public static TopicPlan Plan(TopicIntent intent, TopicSpec spec, TopicStatus? status, TopicView? live, bool wasCreating)
    {
        var ours = status?.TopicId;
        if (live is null)
        {
            return ours is not null && spec.MissingPolicy == "Report"
                ? Refuse("Missing", $"somebody deleted the topic {ours}; missingPolicy Report leaves it so")
                : new TopicPlan(TopicStep.Create, Message: ours is null ? "it is new" : $"somebody deleted the topic {ours}");
        }

        if (FindImpossible(intent, live) is { } impossible)
        {
            return impossible;
        }

        var isOurs = ours == live.Id.ToString();
        var differences = Differences(intent, isOurs ? status : null, live);
        if (!isOurs)
        {
            var policy = spec.AdoptionPolicy ?? "AdoptIfMatching";
            if (policy == "Never" && !wasCreating)
            {
                return Refuse("AlreadyExists", "the topic was there before this resource; adoptionPolicy Never leaves it alone");
            }

            if (policy != "Adopt" && differences.Count > 0)
            {
                return Refuse("ExistsDifferent", $"the topic was there before this resource and differs: {string.Join("; ", differences)}");
            }
        }

        return Align(intent, status, live) with { IsAdoption = !isOurs };
    }

    private static TopicPlan? FindImpossible(TopicIntent intent, TopicView live)
    {
        if (intent.Kind is { } kind && kind != live.Kind)
        {
            return Refuse("KindMismatch", $"the topic is of kind {Text(live.Kind)}, which cannot become {Text(kind)}");
        }

        return intent.Partitions < live.Partitions
            ? Refuse("PartitionsCannotDecrease", $"the topic has {live.Partitions} partitions, which cannot become {intent.Partitions}")
            : null;
    }

    private static List<string> Differences(TopicIntent intent, TopicStatus? status, TopicView live)
    {
        var differences = new List<string>();
        if (intent.Partitions is { } partitions && partitions != live.Partitions)
        {
            differences.Add($"{live.Partitions} partitions instead of {partitions}");
        }

        if (intent.Replicas is { } replicas && live.Replicas.Any(count => count != replicas))
        {
            differences.Add($"{live.Replicas.Min()} replicas instead of {replicas}");
        }

        differences.AddRange(ConfigDiff.Of(intent.Configs, status?.ManagedConfig, live.Configs ?? [])
            .Select(static change => $"{change.Key} is not {change.Value ?? "the default"}"));
        return differences;
    }

    private static TopicPlan Align(TopicIntent intent, TopicStatus? status, TopicView live)
    {
        var partitions = intent.Partitions > live.Partitions ? intent.Partitions : null;
        var configs = live.Configs is null
            ? []
            : ConfigDiff.Of(intent.Configs, status?.ManagedConfig, live.Configs);
        if (partitions is not null || configs.Count > 0)
        {
            return new TopicPlan(TopicStep.Alter, Message: Describe(live, partitions, configs), Partitions: partitions, Configs: configs);
        }

        if (intent.Replicas is { } replicas && live.Replicas.Any(count => count != replicas))
        {
            // A move takes long, and shows more replicas while it goes on: it is asked for once, and again if nothing moves.
            var isAskedFor = status?.ReplicasChange?.Target == replicas && live.IsMoving;
            return isAskedFor
                ? new TopicPlan(TopicStep.None, Message: "replicas are being moved")
                : new TopicPlan(TopicStep.ChangeReplicas, Message: $"replicas from {live.Replicas.Min()} to {replicas}");
        }

        return new TopicPlan(TopicStep.None);
    }

    private static string Describe(TopicView live, int? partitions, Dictionary<string, string?> configs)
    {
        var changes = configs.Select(static change => $"{change.Key}={change.Value ?? "(default)"}");
        return string.Join(", ", partitions is null ? changes : changes.Prepend($"partitions from {live.Partitions} to {partitions}"));
    }

    private static TopicPlan Refuse(string reason, string message) => new(TopicStep.Refuse, reason, message);

    private static string Text(TopicKind kind) => kind == TopicKind.Entity ? "entity" : "event";
}

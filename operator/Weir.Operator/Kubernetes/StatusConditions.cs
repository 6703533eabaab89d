using Weir.Operator.Entities;

namespace Weir.Operator.Kubernetes;

/// <summary>Names of conditions.</summary>
internal static class ConditionTypes
{
    public const string Ready = "Ready";
    public const string Progressing = "Progressing";
    public const string Degraded = "Degraded";
    public const string Paused = "Paused";
    public const string Stable = "Stable";
    public const string LagHealthy = "LagHealthy";
}

/// <summary>Conditions, as they are merged: a time of transition changes with the status alone.</summary>
internal static class StatusConditions
{
    public static Condition Create(string type, bool? holds, string reason, string message) => new()
    {
        Type = type,
        Status = holds switch { true => "True", false => "False", null => "Unknown" },
        Reason = reason,
        Message = message.Length > 2000 ? message[..2000] : message,
    };

    /// <summary>Takes over the times of transition of what was before, and sets the generation.</summary>
    public static List<Condition> Merge(
        IEnumerable<Condition>? before, IEnumerable<Condition> after, long? generation, DateTimeOffset now)
    {
        var old = (before ?? []).GroupBy(static condition => condition.Type)
            .ToDictionary(static group => group.Key, static group => group.First());
        var merged = new List<Condition>();
        foreach (var condition in after)
        {
            var present = old.GetValueOrDefault(condition.Type);
            merged.Add(new Condition
            {
                Type = condition.Type,
                Status = condition.Status,
                Reason = condition.Reason,
                Message = condition.Message,
                ObservedGeneration = generation,
                LastTransitionTime = present?.Status == condition.Status && present.LastTransitionTime is { } since
                    ? since
                    : ToSeconds(now),
            });
        }

        return merged;
    }

    public static Condition? Find(this ResourceStatus? status, string type) =>
        status?.Conditions.FirstOrDefault(condition => condition.Type == type);

    /// <summary>Kubernetes keeps whole seconds.</summary>
    public static DateTime ToSeconds(DateTimeOffset time) =>
        DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds()).UtcDateTime;
}

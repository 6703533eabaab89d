using Weir.Metadata.Records;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Control;

/// <summary>Decides the declaration of groups. Pure, as <see cref="MetadataController"/>, which calls it.</summary>
internal static class GroupDecisions
{
    /// <summary>Most groups of a cluster.</summary>
    public const int MaxGroups = 10_000;

    /// <summary>Decides a declaration.</summary>
    /// <exception cref="ProtocolException">It is refused; its code says why.</exception>
    public static GroupCreated Create(MetadataImage image, CreateGroupRequest request, Guid groupId, long nowMs)
    {
        RequireName(request.Name);
        if (image.FindGroup(request.Name) is not null)
        {
            throw new ProtocolException(ErrorCode.GroupExists, $"group '{request.Name}' exists");
        }

        if (request.OnUse && !image.Settings.DeclaresGroupsOnUse)
        {
            throw new ProtocolException(
                ErrorCode.NotAuthorized,
                $"group '{request.Name}' is not declared: declare it with `weir group create {request.Name} --mode "
                    + $"{request.Mode.ToString().ToLowerInvariant()} --topics ...`, or let clients do so with `weir cluster set "
                    + $"{ClusterConfigCatalog.DeclareGroupsOnUse}=true`");
        }

        if (image.GroupCount >= MaxGroups)
        {
            throw new ProtocolException(ErrorCode.LimitReached, $"the cluster has {image.GroupCount} groups, and no room for more");
        }

        RequireStart(request);
        var group = new GroupImage(
            groupId, request.Name, request.Mode, [.. request.Topics], request.Start, request.StartValue,
            Change(GroupSettings.Default, request.Configs), NullIfEmpty(request.DeadLetterTopic), NullIfEmpty(request.Owner), nowMs);
        RequireTopics(image, group, known: []);
        RequireDeadLetterTopic(image, group);
        RequireSettings(group);
        return new GroupCreated
        {
            GroupId = groupId,
            Name = group.Name,
            Mode = group.Mode,
            Topics = request.Topics,
            Start = group.Start,
            StartValue = group.StartValue,
            Configs = group.Settings.ToChanges(),
            DeadLetterTopic = group.DeadLetterTopic,
            Owner = group.Owner,
            CreatedAtMs = nowMs,
        };
    }

    /// <summary>Decides an alteration: all of it or nothing, and no record where nothing changes.</summary>
    /// <exception cref="ProtocolException">It is refused; its code says why.</exception>
    public static IReadOnlyList<IMetadataRecord> Alter(MetadataImage image, AlterGroupRequest request)
    {
        var before = Require(image, request.Name);
        var after = before with
        {
            Topics = request.Topics.Length > 0 ? [.. request.Topics] : before.Topics,
            Settings = Change(before.Settings, request.Configs),
            DeadLetterTopic = request.DeadLetterTopic is { } deadLetters ? NullIfEmpty(deadLetters) : before.DeadLetterTopic,
            Owner = request.Owner is { } owner ? NullIfEmpty(owner) : before.Owner,
        };
        RequireTopics(image, after, before.Topics);
        if (after.DeadLetterTopic != before.DeadLetterTopic || request.Topics.Length > 0)
        {
            RequireDeadLetterTopic(image, after);
        }

        RequireSettings(after);
        var isSame = after.Topics.SequenceEqual(before.Topics) && after.DeadLetterTopic == before.DeadLetterTopic
            && after.Owner == before.Owner && AreEqual(after.Settings, before.Settings);
        return isSame
            ? []
            :
            [
                new GroupChanged
                {
                    GroupId = before.GroupId,
                    Topics = [.. after.Topics],
                    Configs = after.Settings.ToChanges(),
                    DeadLetterTopic = after.DeadLetterTopic,
                    Owner = after.Owner,
                },
            ];
    }

    /// <summary>Decides a deletion.</summary>
    /// <exception cref="ProtocolException">There is no such group, or it is not the one that is meant.</exception>
    public static GroupDeleted Delete(MetadataImage image, DeleteGroupRequest request)
    {
        var group = Require(image, request.Name);
        return request.GroupId is { } meant && meant != group.GroupId
            ? throw new ProtocolException(ErrorCode.UnknownGroup, $"group '{group.Name}' has the id {group.GroupId} by now, not {meant}")
            : new GroupDeleted { GroupId = group.GroupId };
    }

    private static GroupImage Require(MetadataImage image, string name)
    {
        RequireName(name);
        return image.FindGroup(name)
            ?? throw new ProtocolException(ErrorCode.UnknownGroup, $"group '{name}' does not exist");
    }

    private static void RequireName(string name)
    {
        if (!TopicName.IsValid(name))
        {
            throw new ProtocolException(
                ErrorCode.InvalidGroupName, $"'{name}' is no group name: use 1 to 249 of a-z A-Z 0-9 . _ -");
        }
    }

    private static void RequireStart(CreateGroupRequest request)
    {
        if (request.Mode is < GroupMode.Stream or > GroupMode.Keyed)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"group mode {(byte)request.Mode} is not known here");
        }

        var isValid = request.Start switch
        {
            StartPosition.Earliest or StartPosition.Latest => request.StartValue == 0,
            StartPosition.Offset or StartPosition.Timestamp => request.StartValue >= 0,
            _ => false,
        };
        if (!isValid)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest,
                $"a group starts at earliest (0), latest (1), an offset (2) or timestamp (3) from 0, not at {(byte)request.Start} "
                    + $"{request.StartValue}");
        }
    }

    /// <summary>A topic that was named before may have been deleted since; a new one must be there.</summary>
    private static void RequireTopics(MetadataImage image, GroupImage group, IReadOnlyCollection<string> known)
    {
        if (group.Topics.IsEmpty)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"group '{group.Name}' consumes no topic: name some, or patterns as 'orders.*'");
        }

        if (group.Topics.Distinct(StringComparer.Ordinal).Count() != group.Topics.Length)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"group '{group.Name}' names a topic twice");
        }

        foreach (var topic in group.Topics)
        {
            if (!TopicName.IsValid(topic.Replace('*', 'x')) || topic.Length > ProtocolLimits.TopicNameBytes)
            {
                throw new ProtocolException(
                    ErrorCode.InvalidTopicName,
                    $"'{topic}' is neither a topic name nor a pattern: use 1 to 249 of a-z A-Z 0-9 . _ - and *");
            }

            if (!topic.Contains('*', StringComparison.Ordinal) && image.Find(topic) is null && !known.Contains(topic))
            {
                throw new ProtocolException(
                    ErrorCode.UnknownTopic, $"topic '{topic}' does not exist: create it first, or use a pattern as '{topic}*'");
            }
        }
    }

    private static void RequireDeadLetterTopic(MetadataImage image, GroupImage group)
    {
        if (group.DeadLetterTopic is not { } name)
        {
            return;
        }

        if (group.Mode == GroupMode.Stream)
        {
            throw new ProtocolException(
                ErrorCode.WrongGroupMode,
                $"a stream group commits offsets and dead-letters nothing: leave the dead-letter topic out, or use queue or keyed");
        }

        if (!TopicName.IsValid(name) || TopicName.IsInternal(name))
        {
            throw new ProtocolException(
                ErrorCode.InvalidTopicName, $"'{name}' cannot be the dead-letter topic: name one topic, which is not internal");
        }

        if (image.Find(name) is not { } topic)
        {
            throw new ProtocolException(
                ErrorCode.UnknownTopic, $"the dead-letter topic '{name}' does not exist: create it with `weir topic create {name}`");
        }

        if (topic.Kind != TopicKind.Event || topic.Settings.Writer is not null)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest,
                $"the dead-letter topic '{name}' must take any record: of kind event, without a {TopicConfigCatalog.Writer}");
        }

        if (group.Topics.Contains(name))
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"group '{group.Name}' consumes '{name}': its dead letters would come back to it");
        }
    }

    private static void RequireSettings(GroupImage group)
    {
        var settings = group.Settings;
        if (settings.HeartbeatIntervalMs >= settings.SessionTimeoutMs)
        {
            throw new ProtocolException(
                ErrorCode.InvalidConfig,
                $"{GroupConfigCatalog.HeartbeatIntervalMs}={settings.HeartbeatIntervalMs} must be below "
                    + $"{GroupConfigCatalog.SessionTimeoutMs}={settings.SessionTimeoutMs}");
        }

        if (settings.KeyFailure != KeyFailurePolicy.Block && group.DeadLetterTopic is null)
        {
            throw new ProtocolException(
                ErrorCode.InvalidConfig,
                $"{GroupConfigCatalog.KeyFailure} other than block needs a dead-letter topic, which takes the failed record");
        }
    }

    private static GroupSettings Change(GroupSettings before, ConfigEntry[] entries)
    {
        var faults = new List<string>();
        var after = before.With(
            entries.Select(static entry => new ConfigSetting { Name = entry.Name, Value = entry.Value }), faults);
        return faults.Count == 0
            ? after
            : throw new ProtocolException(ErrorCode.InvalidConfig, string.Join("; ", faults));
    }

    private static bool AreEqual(GroupSettings one, GroupSettings other) =>
        one.ToChanges().Select(static change => (change.Name, change.Value))
            .SequenceEqual(other.ToChanges().Select(static change => (change.Name, change.Value)));

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}

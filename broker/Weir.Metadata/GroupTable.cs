using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>The declared groups of an image, by id and by name. Immutable.</summary>
internal sealed class GroupTable
{
    private readonly ImmutableDictionary<Guid, GroupImage> _byId;
    private readonly ImmutableDictionary<string, Guid> _ids;

    private GroupTable(ImmutableDictionary<Guid, GroupImage> byId, ImmutableDictionary<string, Guid> ids)
    {
        _byId = byId;
        _ids = ids;
    }

    /// <summary>No group.</summary>
    public static GroupTable Empty { get; } =
        new(ImmutableDictionary<Guid, GroupImage>.Empty, ImmutableDictionary.Create<string, Guid>(StringComparer.Ordinal));

    /// <summary>How many there are.</summary>
    public int Count => _byId.Count;

    /// <summary>All of them, in no order.</summary>
    public IEnumerable<GroupImage> All => _byId.Values;

    /// <summary>The group of an id; null if there is none.</summary>
    public GroupImage? Find(Guid groupId) => _byId.GetValueOrDefault(groupId);

    /// <summary>The group of a name; null if there is none.</summary>
    public GroupImage? Find(string name) => _ids.TryGetValue(name, out var id) ? Find(id) : null;

    /// <summary>With one group more.</summary>
    /// <exception cref="MetadataException">The record contradicts what is there.</exception>
    public GroupTable Apply(GroupCreated created)
    {
        MetadataImage.Insist(TopicName.IsValid(created.Name), $"'{created.Name}' is no group name");
        MetadataImage.Insist(!_ids.ContainsKey(created.Name), $"group '{created.Name}' is created twice");
        MetadataImage.Insist(!_byId.ContainsKey(created.GroupId), $"group id {created.GroupId} is used twice");
        MetadataImage.Insist(
            created.Mode is >= GroupMode.Stream and <= GroupMode.Keyed, $"group '{created.Name}' has mode {(byte)created.Mode}");
        MetadataImage.Insist(
            created.Start <= StartPosition.Timestamp, $"group '{created.Name}' starts at position {(byte)created.Start}");
        var group = new GroupImage(
            created.GroupId, created.Name, created.Mode, Topics(created.Topics), created.Start, created.StartValue,
            Settings(created.Configs), created.DeadLetterTopic, created.Owner, created.CreatedAtMs);
        return new GroupTable(_byId.Add(group.GroupId, group), _ids.Add(group.Name, group.GroupId));
    }

    /// <summary>With one group changed.</summary>
    /// <exception cref="MetadataException">The record contradicts what is there.</exception>
    public GroupTable Apply(GroupChanged changed)
    {
        var group = Require(changed.GroupId) with
        {
            Topics = Topics(changed.Topics),
            Settings = Settings(changed.Configs),
            DeadLetterTopic = changed.DeadLetterTopic,
            Owner = changed.Owner,
        };
        return new GroupTable(_byId.SetItem(group.GroupId, group), _ids);
    }

    /// <summary>With one group less.</summary>
    /// <exception cref="MetadataException">The record contradicts what is there.</exception>
    public GroupTable Apply(GroupDeleted deleted)
    {
        var group = Require(deleted.GroupId);
        return new GroupTable(_byId.Remove(group.GroupId), _ids.Remove(group.Name));
    }

    /// <summary>Records that make this table, in the same order for equal tables.</summary>
    public IEnumerable<IMetadataRecord> ToSnapshot() =>
        _byId.Values.OrderBy(static group => group.Name, StringComparer.Ordinal).Select(static group => new GroupCreated
        {
            GroupId = group.GroupId,
            Name = group.Name,
            Mode = group.Mode,
            Topics = [.. group.Topics],
            Start = group.Start,
            StartValue = group.StartValue,
            Configs = group.Settings.ToChanges(),
            DeadLetterTopic = group.DeadLetterTopic,
            Owner = group.Owner,
            CreatedAtMs = group.CreatedAtMs,
        });

    private static ImmutableArray<string> Topics(string[] topics)
    {
        MetadataImage.Insist(topics.Length > 0, "a group has no topic");
        return [.. topics];
    }

    private static GroupSettings Settings(ConfigSetting[] configs)
    {
        var faults = new List<string>();
        var settings = GroupSettings.Default.With(configs, faults);
        MetadataImage.Insist(faults.Count == 0, string.Join("; ", faults));
        return settings;
    }

    private GroupImage Require(Guid groupId)
    {
        var group = Find(groupId);
        MetadataImage.Insist(group is not null, $"group {groupId} does not exist");
        return group!;
    }
}

using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups.Stream;

/// <summary>What a stream group's records make: members, owners, offsets. One thread.</summary>
internal sealed class StreamState
{
    /// <summary>Members by id.</summary>
    public Dictionary<Guid, StreamMember> Members { get; } = [];

    /// <summary>Partitions by topic and index.</summary>
    public Dictionary<LogIdentity, StreamPartition> Partitions { get; } = [];

    /// <summary>Topics that the group has seen.</summary>
    public TopicBook Topics { get; } = new();

    /// <summary>
    /// Grows with every assignment of a partition and every epoch of a member: what a member was told before it was fenced is
    /// never of an epoch that it gets later.
    /// </summary>
    public int GroupEpoch { get; private set; }

    public static StreamOwner ToOwner(StreamPartition partition, Guid owner, int epoch) => new()
    {
        TopicId = partition.Identity.TopicId,
        Partition = partition.Identity.Partition,
        Owner = owner,
        AssignmentEpoch = epoch,
    };

    public static StreamOffset ToOffset(LogIdentity partition, long offset) =>
        new() { TopicId = partition.TopicId, Partition = partition.Partition, Offset = offset };

    public static StreamMemberRecord ToRecord(StreamMember member, int epoch) => new()
    {
        MemberId = member.Id,
        InstanceId = member.InstanceId,
        Name = member.Name,
        MemberEpoch = epoch,
        JoinedAtMs = member.JoinedAtMs,
    };

    /// <summary>The member of an instance id; null if there is none.</summary>
    public StreamMember? FindInstance(string instanceId) =>
        Members.Values.FirstOrDefault(member => member.InstanceId == instanceId);

    /// <summary>What a member may consume.</summary>
    public AssignedPartition[] AssignmentOf(StreamMember member) =>
    [
        .. Partitions.Values.Where(partition => partition.IsGranted && partition.Owner == member).Select(static partition => new AssignedPartition
        {
            TopicId = partition.Identity.TopicId,
            Partition = partition.Identity.Partition,
            AssignmentEpoch = partition.AssignmentEpoch,
            Offset = partition.Committed!.Value,
        }),
    ];

    /// <summary>Adds the partitions that a topic has got.</summary>
    public void Grow(GroupTopic topic)
    {
        for (var i = 0; i < topic.Partitions; i++)
        {
            GetOrAdd(new LogIdentity(topic.TopicId, i));
        }
    }

    /// <summary>Applies a record.</summary>
    public void Apply(IGroupRecord record)
    {
        switch (record)
        {
            case StreamMemberRecord member:
                Apply(member);
                break;
            case StreamMemberLeft left:
                Remove(left.MemberId);
                break;
            case StreamOwners owners:
                Apply(owners);
                break;
            case StreamOffsets offsets:
                foreach (var offset in offsets.Offsets)
                {
                    GetOrAdd(new LogIdentity(offset.TopicId, offset.Partition)).Committed = offset.Offset;
                }

                break;
            case TopicSeen topic:
                Apply(topic);
                break;
            default:
                throw new InvalidOperationException($"no rule of a stream group applies {record.Kind}");
        }
    }

    /// <summary>Records that make this state.</summary>
    public IEnumerable<IGroupRecord> ToSnapshot()
    {
        foreach (var topic in Topics.ToSnapshot())
        {
            yield return topic;
        }

        foreach (var member in Members.Values)
        {
            yield return ToRecord(member, member.Epoch);
        }

        yield return new StreamOwners { GroupEpoch = GroupEpoch };
        foreach (var chunk in Partitions.Values.Where(static partition => partition.AssignmentEpoch > 0).Chunk(StreamRecords.MaxPartitions))
        {
            yield return new StreamOwners
            {
                GroupEpoch = GroupEpoch,
                Owners = [.. chunk.Select(static one => ToOwner(one, one.Owner?.Id ?? Guid.Empty, one.AssignmentEpoch))],
            };
        }

        foreach (var chunk in Partitions.Values.Where(static partition => partition.Committed is not null).Chunk(StreamRecords.MaxPartitions))
        {
            yield return new StreamOffsets { Offsets = [.. chunk.Select(static one => ToOffset(one.Identity, one.Committed!.Value))] };
        }
    }

    private StreamPartition GetOrAdd(LogIdentity identity)
    {
        if (!Partitions.TryGetValue(identity, out var partition))
        {
            Partitions[identity] = partition = new StreamPartition(identity);
        }

        return partition;
    }

    private void Apply(StreamMemberRecord record)
    {
        if (!Members.TryGetValue(record.MemberId, out var member))
        {
            member = new StreamMember(record.MemberId, record.InstanceId, record.Name, record.JoinedAtMs);
            Members.Add(member.Id, member);
        }

        member.Epoch = record.MemberEpoch;
        GroupEpoch = Math.Max(GroupEpoch, record.MemberEpoch);
    }

    private void Remove(Guid memberId)
    {
        if (Members.Remove(memberId, out var member))
        {
            foreach (var partition in Partitions.Values.Where(partition => partition.Owner == member))
            {
                partition.Owner = null;
            }
        }
    }

    private void Apply(StreamOwners owners)
    {
        GroupEpoch = Math.Max(GroupEpoch, owners.GroupEpoch);
        foreach (var owner in owners.Owners)
        {
            var partition = GetOrAdd(new LogIdentity(owner.TopicId, owner.Partition));
            partition.Owner = owner.Owner == Guid.Empty ? null : Members[owner.Owner];
            partition.AssignmentEpoch = owner.AssignmentEpoch;
        }
    }

    private void Apply(TopicSeen topic)
    {
        Topics.Apply(topic);
        if (topic.Partitions == TopicSeen.Gone)
        {
            foreach (var identity in Partitions.Keys.Where(identity => identity.TopicId == topic.TopicId).ToList())
            {
                Partitions.Remove(identity);
            }
        }
    }
}

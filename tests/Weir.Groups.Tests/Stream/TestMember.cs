using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups.Tests.Stream;

/// <summary>A member that does what a client does: takes assignments, gives up what they do not name, heartbeats.</summary>
internal sealed class TestMember(TestCoordinator coordinator, int number, string? instance = null)
{
    private TestSession _session = new();
    private HashSet<LogIdentity> _mayHold = [];
    private int _epoch;

    public Guid Id { get; } = new(number, 0, 0, [0, 0, 0, 0, 0, 0, 0, 2]);

    public Dictionary<LogIdentity, AssignedPartition> Holds { get; } = [];

    /// <summary>Assignments that were pushed since it joined.</summary>
    public int Assignments => _session.Pushes.OfType<GroupAssignmentPush>().Count();

    public ErrorCode EndedWith => _session.Pushes.OfType<GroupSessionEndedPush>().Select(static push => push.Error.Error).FirstOrDefault();

    public ErrorCode Join()
    {
        _session = new TestSession();
        var answer = coordinator.Ask<JoinGroupResponse>((to, reply, refuse) => to.Receive(
            new JoinGroupRequest { SessionId = 1, Group = "g", MemberId = Id, InstanceId = instance, MemberName = $"m{number}" },
            _session, reply, refuse));
        return answer.Error;
    }

    /// <summary>Takes what was pushed, gives up what it may not keep, and says so.</summary>
    public ErrorCode Beat(long stuckForMs = 0, bool givesUp = true)
    {
        if (_session.Pushes.OfType<GroupAssignmentPush>().LastOrDefault() is { } push && push.MemberEpoch > _epoch)
        {
            Take(push.MemberEpoch, push.Assigned);
        }

        foreach (var gone in Holds.Keys.Where(held => givesUp && !_mayHold.Contains(held)).ToList())
        {
            Holds.Remove(gone);
        }

        var answer = coordinator.Ask<GroupHeartbeatResponse>((to, reply, refuse) => to.Receive(
            new GroupHeartbeatRequest
            {
                GroupId = TestCoordinator.GroupId,
                MemberId = Id,
                MemberEpoch = _epoch,
                StuckForMs = stuckForMs,
                Owned = [.. Holds.Keys.Select(static held => new PartitionKey { TopicId = held.TopicId, Partition = held.Partition })],
            },
            reply, refuse));
        if (answer.Response is { HasAssignment: true } behind)
        {
            Take(behind.MemberEpoch, behind.Assigned);
        }

        return answer.Error;
    }

    public ErrorCode Leave()
    {
        Holds.Clear();
        return coordinator.Ask<EmptyMessage>((to, reply, refuse) => to.Receive(
            new LeaveGroupRequest { GroupId = TestCoordinator.GroupId, MemberId = Id, MemberEpoch = _epoch }, reply, refuse)).Error;
    }

    public ErrorCode Commit(LogIdentity partition, long offset, int? epoch = null)
    {
        var answer = coordinator.Ask<CommitOffsetsResponse>((to, reply, refuse) => to.Receive(
            new CommitOffsetsRequest
            {
                GroupId = TestCoordinator.GroupId,
                MemberId = Id,
                Offsets =
                [
                    new OffsetCommit
                    {
                        TopicId = partition.TopicId,
                        Partition = partition.Partition,
                        AssignmentEpoch = epoch ?? Holds.GetValueOrDefault(partition)?.AssignmentEpoch ?? 0,
                        Offset = offset,
                    },
                ],
            },
            reply, refuse));
        return answer.Response is { } response ? (ErrorCode)response.Errors[0] : answer.Error;
    }

    private void Take(int epoch, AssignedPartition[] assigned)
    {
        _epoch = epoch;
        _mayHold = [.. assigned.Select(static one => new LogIdentity(one.TopicId, one.Partition))];
        foreach (var one in assigned)
        {
            Holds[new LogIdentity(one.TopicId, one.Partition)] = one;
        }
    }
}

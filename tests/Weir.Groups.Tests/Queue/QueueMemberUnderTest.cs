using System.Text;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Groups.Tests.Queue;

/// <summary>A record as a member got it.</summary>
internal sealed record Delivered(LogIdentity Partition, long Offset, int Count, string? Key, string Value);

/// <summary>A member of a queue that keeps what it gets.</summary>
internal sealed class QueueMemberUnderTest(TestCoordinator coordinator, int number, GroupMode mode = GroupMode.Queue)
{
    private TestSession _session = new();
    private int _read;

    public Guid Id { get; } = new(number, 0, 0, [0, 0, 0, 0, 0, 0, 0, 3]);

    public ErrorCode EndedWith =>
        _session.Pushes.OfType<GroupSessionEndedPush>().Select(static push => push.Error.Error).FirstOrDefault();

    public ErrorCode Join(int maxInFlight = 0)
    {
        _session = new TestSession();
        _read = 0;
        return coordinator.Ask<JoinGroupResponse>((to, reply, refuse) => to.Receive(
            new JoinGroupRequest { SessionId = 1, Group = "g", MemberId = Id, MemberName = "m", Mode = mode, MaxInFlight = maxInFlight },
            _session, reply, refuse)).Error;
    }

    /// <summary>What was delivered since the last call.</summary>
    public List<Delivered> Take()
    {
        var taken = new List<Delivered>();
        foreach (var push in _session.Pushes.Skip(_read).OfType<GroupDeliverPush>())
        {
            var bytes = push.Records.Span;
            for (var i = 0; i < push.RecordCount; i++)
            {
                var header = DeliveredRecord.Read(bytes);
                var record = RecordReader.Read(bytes, DeliveredRecord.Size, header.BaseTimestampMs);
                taken.Add(new Delivered(
                    new LogIdentity(push.TopicId, push.Partition), header.Offset, header.DeliveryCount,
                    record.KeyLength < 0 ? null : Encoding.UTF8.GetString(bytes.Slice(record.KeyStart, record.KeyLength)),
                    Encoding.UTF8.GetString(bytes.Slice(record.ValueStart, record.ValueLength))));
                bytes = bytes[record.End..];
            }
        }

        _read = _session.Pushes.Count;
        return taken;
    }

    public ErrorCode Beat(long stuckForMs = 0) => coordinator.Ask<GroupHeartbeatResponse>((to, reply, refuse) => to.Receive(
        new GroupHeartbeatRequest { GroupId = TestCoordinator.GroupId, MemberId = Id, MemberEpoch = 1, StuckForMs = stuckForMs },
        reply, refuse)).Error;

    public ErrorCode Leave() => coordinator.Ask<EmptyMessage>((to, reply, refuse) => to.Receive(
        new LeaveGroupRequest { GroupId = TestCoordinator.GroupId, MemberId = Id, MemberEpoch = 1 }, reply, refuse)).Error;

    public ErrorCode Settle(SettleAction action, Delivered record, long delayMs = -1, string? reason = null) =>
        Settle(action, record.Partition, record.Offset, record.Offset, delayMs, reason);

    /// <summary>Settles a range; the first refusal.</summary>
    public ErrorCode Settle(
        SettleAction action, LogIdentity partition, long first, long last, long delayMs = -1, string? reason = null)
    {
        var answer = coordinator.Ask<SettleResponse>((to, reply, refuse) => to.Receive(
            new SettleRequest
            {
                GroupId = TestCoordinator.GroupId,
                MemberId = Id,
                Settlements =
                [
                    new Settlement
                    {
                        TopicId = partition.TopicId,
                        Partition = partition.Partition,
                        Action = action,
                        FirstOffset = first,
                        LastOffset = last,
                        DelayMs = delayMs,
                        Reason = reason,
                    },
                ],
            },
            reply, refuse));
        return answer.Response is { } response
            ? response.Failures.Select(static failure => failure.Error).FirstOrDefault()
            : answer.Error;
    }
}

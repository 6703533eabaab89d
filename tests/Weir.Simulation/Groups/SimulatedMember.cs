using Weir.Groups;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Weir.Storage;

namespace Weir.Simulation.Groups;

/// <summary>
/// A member: joins, heartbeats, handles what it is given, commits or settles. It may crash, stand still and go on with what it
/// knew, or leave.
/// </summary>
internal sealed class SimulatedMember(GroupWorld world, int number)
{
    private const int HeartbeatMs = 500;
    private readonly Guid _id = new(number, 0, 0, [0, 0, 0, 0, 0, 0, 0, 9]);
    private readonly Dictionary<LogIdentity, Held> _held = [];
    private HashSet<LogIdentity> _mayHold = [];
    private Session? _session;
    private SimulatedCoordinator? _coordinator;
    private int _epoch;
    private long _pausedUntilMs;
    private bool _isGone;
    private bool _isJoined;

    private bool IsAwake => !_isGone && world.NowMs >= _pausedUntilMs;

    public void Start()
    {
        Beat();
        if (world.Mode == GroupMode.Stream)
        {
            Consume();
        }
    }

    /// <summary>Crashes, leaves, or stands still for a while.</summary>
    public void Disturb()
    {
        switch (world.Random.Next(3))
        {
            case 0:
                _isGone = true;
                break;
            case 1 when world.Mode != GroupMode.Stream || _held.Count == 0:
                Ask<EmptyMessage>((to, reply, refuse) => to.Receive(
                    new LeaveGroupRequest { GroupId = GroupWorld.GroupId, MemberId = _id, MemberEpoch = _epoch }, reply, refuse), static _ => { });
                _isGone = true;
                break;
            default:
                _pausedUntilMs = world.NowMs + world.Random.Next(9000);
                break;
        }
    }

    private void Beat()
    {
        if (_isGone)
        {
            return;
        }

        world.After(HeartbeatMs, Beat);
        if (!IsAwake)
        {
            return;
        }

        if (!_isJoined || _coordinator != world.Coordinator)
        {
            Join();
            return;
        }

        GiveUp();
        Ask<GroupHeartbeatResponse>(
            (to, reply, refuse) => to.Receive(
                new GroupHeartbeatRequest
                {
                    GroupId = GroupWorld.GroupId,
                    MemberId = _id,
                    MemberEpoch = _epoch,
                    Owned = [.. _held.Keys.Select(static held => new PartitionKey { TopicId = held.TopicId, Partition = held.Partition })],
                },
                reply, refuse),
            response =>
            {
                if (response.HasAssignment)
                {
                    Take(response.MemberEpoch, response.Assigned);
                }
            });
    }

    private void Join()
    {
        _coordinator = world.Coordinator;
        var session = new Session(this, _coordinator);
        _session = session;
        Ask<JoinGroupResponse>(
            (to, reply, refuse) => to.Receive(
                new JoinGroupRequest
                {
                    SessionId = 1, Group = "g", MemberId = _id, MemberName = $"m{number}", Mode = world.Mode, MaxInFlight = 5,
                },
                session, reply, refuse),
            _ => _isJoined = true);
    }

    /// <summary>Sends a request to the coordinator as it is known; the answer comes later, or never.</summary>
    private void Ask<TResponse>(
        Action<GroupCoordinator, Action<TResponse>, Metadata.Control.Refuse> send, Action<TResponse> onReply)
        where TResponse : class, IMessage
    {
        var target = _coordinator ?? world.Coordinator;
        world.Send(() => send(
            target.Machine,
            response => world.Send(() => WhenAwake(() => onReply(response))),
            (code, _) => world.Send(() => WhenAwake(() => OnRefused(code)))));
    }

    private void WhenAwake(Action action)
    {
        if (_isGone)
        {
            return;
        }

        if (IsAwake)
        {
            action();
        }
        else
        {
            world.After(_pausedUntilMs - world.NowMs, () => WhenAwake(action));
        }
    }

    private void OnRefused(ErrorCode code)
    {
        if (code is ErrorCode.UnknownMember or ErrorCode.FencedMember or ErrorCode.NotCoordinator)
        {
            Lose(keep: code == ErrorCode.NotCoordinator);
        }
    }

    private void Lose(bool keep)
    {
        _isJoined = false;
        if (!keep)
        {
            _epoch = 0;
            _held.Clear();
            _mayHold = [];
        }
    }

    private void Take(int epoch, AssignedPartition[] assigned)
    {
        if (epoch <= _epoch)
        {
            return;
        }

        _epoch = epoch;
        _mayHold = [.. assigned.Select(static one => new LogIdentity(one.TopicId, one.Partition))];
        foreach (var one in assigned)
        {
            var identity = new LogIdentity(one.TopicId, one.Partition);
            world.Oracle.OnAssigned(identity, one.AssignmentEpoch, _id);
            if (!_held.TryGetValue(identity, out var held) || held.Epoch != one.AssignmentEpoch)
            {
                _held[identity] = new Held { Epoch = one.AssignmentEpoch, Position = one.Offset };
                world.Oracle.OnStarted(identity, one.Offset);
            }
        }
    }

    private void GiveUp()
    {
        foreach (var gone in _held.Keys.Where(held => !_mayHold.Contains(held)).ToList())
        {
            _held.Remove(gone);
        }
    }

    /// <summary>Handles records one by one, and commits now and then.</summary>
    private void Consume()
    {
        if (_isGone)
        {
            return;
        }

        world.After(20 + world.Random.Next(100), Consume);
        if (!IsAwake)
        {
            return;
        }

        foreach (var (partition, held) in _held)
        {
            if (held.Position < world.Topics.EndOf(partition))
            {
                world.Oracle.OnHandled(partition, held.Position++);
            }

            if (world.Random.Chance(1, 3))
            {
                Commit(partition, held.Epoch, held.Position);
            }
        }
    }

    private void Commit(LogIdentity partition, int epoch, long offset) => Ask<CommitOffsetsResponse>(
        (to, reply, refuse) => to.Receive(
            new CommitOffsetsRequest
            {
                GroupId = GroupWorld.GroupId,
                MemberId = _id,
                Offsets =
                [
                    new OffsetCommit { TopicId = partition.TopicId, Partition = partition.Partition, AssignmentEpoch = epoch, Offset = offset },
                ],
            },
            response =>
            {
                if (response.Errors[0] == 0)
                {
                    world.Oracle.OnCommitted(partition, epoch, offset);
                }

                reply(response);
            },
            refuse),
        static _ => { });

    private void OnDelivered(GroupDeliverPush push)
    {
        var partition = new LogIdentity(push.TopicId, push.Partition);
        var bytes = push.Records;
        for (var i = 0; i < push.RecordCount; i++)
        {
            var header = DeliveredRecord.Read(bytes.Span);
            bytes = bytes[RecordReader.Read(bytes.Span, DeliveredRecord.Size, header.BaseTimestampMs).End..];
            world.Oracle.OnDelivered(partition, header.Offset);
            world.After(10 + world.Random.Next(world.Random.Chance(1, 15) ? 5000 : 200), () => WhenAwake(() => Settle(partition, header.Offset)));
        }
    }

    private void Settle(LogIdentity partition, long offset)
    {
        var roll = world.Random.Next(20);
        var action = roll == 0 ? SettleAction.Reject : roll <= 2 ? SettleAction.Release : SettleAction.Acknowledge;
        if (action == SettleAction.Acknowledge)
        {
            world.Oracle.OnAcknowledging(partition, offset);
        }

        Ask<SettleResponse>(
            (to, reply, refuse) => to.Receive(
                new SettleRequest
                {
                    GroupId = GroupWorld.GroupId,
                    MemberId = _id,
                    Settlements =
                    [
                        new Settlement
                        {
                            TopicId = partition.TopicId, Partition = partition.Partition, Action = action, FirstOffset = offset, LastOffset = offset,
                        },
                    ],
                },
                response =>
                {
                    if (response.Failures.Length == 0 && action == SettleAction.Acknowledge)
                    {
                        world.Oracle.OnConfirmed(partition, offset);
                    }

                    reply(response);
                },
                refuse),
            static _ => { });
    }

    private sealed class Held
    {
        public int Epoch { get; init; }

        public long Position { get; set; }
    }

    /// <summary>The member's connection to one coordinator.</summary>
    private sealed class Session(SimulatedMember member, SimulatedCoordinator coordinator) : IGroupSession
    {
        public uint SessionId => 1;

        public string Remote => "simulated";

        public bool IsOpen => true;

        public void Push<T>(T message)
            where T : IPush
        {
            // One of the past may deliver what it has once more, until it learns that it is.
            if (message is GroupDeliverPush delivery && coordinator == member.World.Coordinator)
            {
                member.World.Oracle.OnPushed(delivery);
            }

            member.World.Send(() => member.WhenAwake(() => member.OnPush(this, message)));
        }
    }

    private GroupWorld World => world;

    private void OnPush(Session session, object message)
    {
        if (session != _session)
        {
            return;
        }

        switch (message)
        {
            case GroupAssignmentPush push:
                Take(push.MemberEpoch, push.Assigned);
                break;
            case GroupDeliverPush push:
                OnDelivered(push);
                break;
            case GroupSessionEndedPush ended:
                OnRefused(ended.Error.Error);
                break;
        }
    }
}

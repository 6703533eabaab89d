using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Storage;

namespace Weir.Groups.Queue;

/// <summary>
/// A queue or keyed group. The coordinator reads the partitions and pushes records to members, each locked for one of them at a
/// time, until they are settled. What is done and what failed is in the log; who holds what is not, so that after a failover
/// it is delivered again.
/// </summary>
/// <remarks>
/// In a keyed group the next record of a key is pushed once that the one before is done is committed: nobody sees them out of
/// order, whatever fails.
/// </remarks>
internal sealed class QueueGroup : Group
{
    private const int DefaultInFlight = 1000;
    private const int MaxInFlight = 100_000;
    private const long DefaultInFlightBytes = 8 * 1024 * 1024;
    private const long MaxInFlightBytes = 256 * 1024 * 1024;
    private readonly QueueWork _work;
    private readonly QueueReader _reader;
    private readonly QueueDispatcher _dispatcher;
    private readonly QueueSettling _settling;
    private bool _isActive;
    private bool _isMoving;

    public QueueGroup(GroupImage declaration, IGroupContext context)
        : base(declaration, context)
    {
        _work = new QueueWork(context, () => Declaration);
        _reader = new QueueReader(_work, GoOn);
        _dispatcher = new QueueDispatcher(_work);
        _settling = new QueueSettling(_work);
        _work.DeadLetters.OnDone = OnDeadLettered;
    }

    public override bool HasMembers => _work.Members.Count > 0;

    private IEnumerable<QueuePartition> Partitions => _work.State.Partitions.Values;

    public override void Replay(IGroupRecord record) => _work.State.Apply(record);

    public override IEnumerable<IGroupRecord> ToSnapshot() => _work.State.ToSnapshot();

    public override void Tick()
    {
        FindStarts();
        foreach (var member in _work.Members.Values.ToList())
        {
            var silent = Context.ListeningMs - member.HeardAtMs;
            if (silent > Settings.SessionTimeoutMs)
            {
                Fence(member, $"it was silent for {silent} ms");
            }
            else if (Settings.FenceStuckAfterMs is { } limit && member.StuckForMs > 0 && member.StuckForMs + silent > limit)
            {
                Fence(member, $"its oldest record is being handled for more than {limit} ms");
            }
        }

        foreach (var partition in Partitions)
        {
            _settling.ExpireLocks(partition);
            _reader.Wake(partition);
        }

        GoOn();
    }

    public override void Join(JoinGroupRequest request, IGroupSession session, Action<JoinGroupResponse> reply, Refuse refuse)
    {
        if (!_work.Members.TryGetValue(request.MemberId, out var member))
        {
            if (_work.Members.Count >= ProtocolLimits.MembersPerGroup)
            {
                refuse(ErrorCode.LimitReached, $"the group has {_work.Members.Count} members, and no room for more");
                return;
            }

            if (request.InstanceId is { } instance && _work.Members.Values.FirstOrDefault(other => other.InstanceId == instance) is { } twin)
            {
                Fence(twin, $"another member joined as instance '{instance}'", ErrorCode.FencedInstance);
            }

            var name = $"{request.MemberName} at {session.Remote}";
            member = new QueueMember(
                request.MemberId, request.InstanceId,
                name.Length <= ProtocolLimits.ShortStringBytes / 4 ? name : name[..(ProtocolLimits.ShortStringBytes / 4)],
                Context.WallClockMs);
            _work.Members.Add(member.Id, member);
        }

        member.Session = session;
        member.HeardAtMs = Context.ListeningMs;
        member.StuckForMs = 0;
        member.MaxInFlight = request.MaxInFlight <= 0 ? DefaultInFlight : Math.Min(request.MaxInFlight, MaxInFlight);
        member.MaxInFlightBytes = request.MaxInFlightBytes <= 0
            ? DefaultInFlightBytes
            : Math.Min(request.MaxInFlightBytes, MaxInFlightBytes);
        reply(new JoinGroupResponse
        {
            GroupId = Declaration.GroupId,
            MemberEpoch = 1,
            HeartbeatIntervalMs = Settings.HeartbeatIntervalMs,
            SessionTimeoutMs = Settings.SessionTimeoutMs,
            LockMs = Settings.LockMs,
        });
        GoOn();
    }

    public override void Heartbeat(GroupHeartbeatRequest request, Action<GroupHeartbeatResponse> reply, Refuse refuse)
    {
        if (TryFind(request.MemberId, refuse, out var member))
        {
            member.HeardAtMs = Context.ListeningMs;
            member.StuckForMs = request.StuckForMs;
            reply(new GroupHeartbeatResponse { MemberEpoch = 1 });
        }
    }

    public override void Leave(LeaveGroupRequest request, Action<EmptyMessage> reply, Refuse refuse)
    {
        if (TryFind(request.MemberId, refuse, out var member))
        {
            _work.Members.Remove(member.Id);
            _settling.Return(member, failedBy: null);
            reply(new EmptyMessage());
            GoOn();
        }
    }

    public override void Settle(SettleRequest request, Action<SettleResponse> reply, Refuse refuse)
    {
        if (TryFind(request.MemberId, refuse, out var member))
        {
            member.HeardAtMs = Context.ListeningMs;
            var failures = _settling.Settle(member, request.Settlements);
            reply(new SettleResponse { Failures = [.. failures.Take(ProtocolLimits.SettlementsPerRequest)] });
            GoOn();
        }
    }

    public override void OnSessionClosed(IGroupSession session)
    {
        foreach (var member in _work.Members.Values.Where(member => member.Session == session))
        {
            member.Session = null;
        }
    }

    public override long? CommittedOf(LogIdentity partition) =>
        _work.State.Partitions.GetValueOrDefault(partition)?.Settled?.Floor;

    public override long SettledAbove(LogIdentity partition) =>
        _work.State.Partitions.GetValueOrDefault(partition)?.Settled?.CountAbove ?? 0;

    public override void Reset(IReadOnlyDictionary<LogIdentity, long> targets, Action done)
    {
        foreach (var member in _work.Members.Values.ToList())
        {
            Fence(member, "the offsets of the group were reset");
        }

        foreach (var (identity, offset) in targets)
        {
            var partition = _work.State.GetOrAdd(identity);
            Context.Append(ToStart(identity, offset, partition.DeadLettered));
            partition.Forget();
        }

        _work.DeadLetters.Forget();
        done();
        GoOn();
    }

    public override void Describe(DescribeGroupResponse description)
    {
        description.State = Settings.IsPaused ? GroupState.Paused : HasMembers ? GroupState.Stable : GroupState.Empty;
        description.Members =
        [
            .. _work.Members.Values.OrderBy(static member => member.JoinedAtMs).Select(member =>
            {
                var silent = Context.ListeningMs - member.HeardAtMs;
                var stuck = member.StuckForMs > 0 ? member.StuckForMs + silent : 0;
                return new MemberDescription
                {
                    MemberId = member.Id,
                    InstanceId = member.InstanceId,
                    Name = member.Name,
                    MemberEpoch = 1,
                    JoinedAtMs = member.JoinedAtMs,
                    SilentForMs = silent,
                    StuckForMs = stuck,
                    IsStuck = stuck > Settings.StuckAfterMs,
                    InFlight = member.InFlight,
                };
            }),
        ];
        description.Partitions =
        [
            .. Topics.SelectMany(topic => Enumerable.Range(0, topic.Partitions).Select(index =>
            {
                var partition = _work.State.Partitions.GetValueOrDefault(new LogIdentity(topic.TopicId, index));
                return new GroupPartitionDescription
                {
                    TopicId = topic.TopicId,
                    Topic = topic.Name,
                    Partition = index,
                    Committed = partition?.Settled?.Floor ?? -1,
                    InFlight = partition?.InFlight.Count ?? 0,
                    Waiting = partition?.Waiting.Count ?? 0,
                    BlockedKeys = partition?.BlockedKeys ?? 0,
                    DeadLettered = partition?.DeadLettered ?? 0,
                };
            })),
        ];
    }

    public override void End(ErrorCode code, string text)
    {
        foreach (var member in _work.Members.Values)
        {
            EndSession(member.Session, code, text);
        }
    }

    protected override void OnDeclared()
    {
        _work.State.Topics.Follow(Context, Declaration, Topics);
        foreach (var topic in Topics)
        {
            for (var i = 0; i < topic.Partitions; i++)
            {
                _work.State.GetOrAdd(new LogIdentity(topic.TopicId, i));
            }
        }

        if (!_isActive)
        {
            _isActive = true;
            foreach (var partition in Partitions)
            {
                partition.Forget();
            }
        }
        else
        {
            Unblock();
        }

        FindStarts();
        GoOn();
    }

    private static QueueStart ToStart(LogIdentity identity, long offset, long deadLettered) => new()
    {
        TopicId = identity.TopicId, Partition = identity.Partition, Offset = offset, DeadLettered = deadLettered,
    };

    private static void EndSession(IGroupSession? session, ErrorCode code, string text) =>
        session?.Push(new GroupSessionEndedPush { SessionId = session.SessionId, Error = ErrorMessage.Create(code, text) });

    /// <summary>Reads and delivers as long as one makes room for the other.</summary>
    private void GoOn()
    {
        if (_isMoving || !_isActive)
        {
            return;
        }

        _isMoving = true;
        _work.DeadLetters.GoOn();
        _dispatcher.Deliver(Partitions);
        foreach (var partition in Partitions)
        {
            HandInDeadLetters(partition);
            _reader.Read(partition);
        }

        _isMoving = false;
    }

    private void HandInDeadLetters(QueuePartition partition)
    {
        if (partition.Doomed.Count == 0)
        {
            return;
        }

        foreach (var offset in partition.Doomed.Where(partition.Buffer.ContainsKey).ToList())
        {
            if (!_work.DeadLetters.HasRoom)
            {
                return;
            }

            partition.TryTakeFromBuffer(offset, out var record);
            _work.DeadLetters.Take(partition, offset, record);
        }
    }

    private void OnDeadLettered(QueuePartition partition, long offset, KeyHash key)
    {
        partition.Doomed.Remove(offset);
        _work.ReleaseKey(partition, key, offset);
        GoOn();
    }

    /// <summary>What was blocked may go on if the policy, or the dead-letter topic, is another one now.</summary>
    private void Unblock()
    {
        if (Settings.KeyFailure == KeyFailurePolicy.Block)
        {
            return;
        }

        foreach (var partition in Partitions)
        {
            foreach (var failed in partition.Failed.Values.Where(static failed => failed is { DueMs: FailedRecord.Blocked, IsDoomed: false }).ToList())
            {
                _work.Doom(partition, failed.Offset, failed, failed.Reason);
            }
        }
    }

    private void FindStarts()
    {
        foreach (var partition in Partitions.Where(static partition => partition.Settled is null))
        {
            _work.State.Topics.FindStart(Context, Declaration, partition.Identity, answer =>
            {
                if (partition.Settled is null && _work.State.Partitions.ContainsKey(partition.Identity))
                {
                    Context.Append(ToStart(partition.Identity, answer.Offset, 0));
                    partition.Forget();
                    GoOn();
                }
            });
        }
    }

    private bool TryFind(Guid memberId, Refuse refuse, out QueueMember member)
    {
        if (_work.Members.TryGetValue(memberId, out var found))
        {
            member = found;
            return true;
        }

        member = null!;
        refuse(
            ErrorCode.UnknownMember,
            $"group '{Declaration.Name}' has no member {memberId}: it left, was silent for {Settings.SessionTimeoutMs} ms, or the "
                + "coordinator is another one now");
        return false;
    }

    private void Fence(QueueMember member, string reason, ErrorCode code = ErrorCode.FencedMember)
    {
        CoordinationEvents.Fenced(Context.Logger, Declaration.Name, member.Name, reason);
        _work.Members.Remove(member.Id);
        _settling.Return(member, failedBy: $"its member is gone: {reason}");
        var session = member.Session;
        Context.WhenCommitted(() => EndSession(session, code, $"member {member.Id} was fenced: {reason}"));
    }
}

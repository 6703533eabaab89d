using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Storage;

namespace Weir.Groups.Stream;

/// <summary>
/// A stream group: each partition has one owner at a time. The coordinator says who is to own what (KIP-848); a partition moves
/// only when its owner has given it up or was fenced, and no other member notices.
/// </summary>
/// <remarks>
/// A heartbeat names the epoch of the assignment that the member has taken, and what it still holds. What it is to give up and
/// names no more, in the present epoch, is free. Commits are accepted from the owner in the partition's assignment epoch alone
/// (KIP-1251).
/// </remarks>
internal sealed class StreamGroup(GroupImage declaration, IGroupContext context) : Group(declaration, context)
{
    private readonly StreamState _state = new();
    private long _nextTickMs;
    private bool _isActive;

    public override bool HasMembers => _state.Members.Count > 0;

    public override void Replay(IGroupRecord record) => _state.Apply(record);

    public override IEnumerable<IGroupRecord> ToSnapshot() => _state.ToSnapshot();

    public override void Tick()
    {
        if (Context.NowMs < _nextTickMs)
        {
            return;
        }

        _nextTickMs = Context.NowMs + Math.Clamp(Settings.SessionTimeoutMs / 20, 1, 200);
        FindStarts();
        var hasFenced = false;
        foreach (var member in _state.Members.Values.ToList())
        {
            if (FindFault(member) is { } fault)
            {
                Fence(member, ErrorCode.FencedMember, fault);
                hasFenced = true;
            }
        }

        if (hasFenced)
        {
            Reassign();
        }
    }

    public override void Join(JoinGroupRequest request, IGroupSession session, Action<JoinGroupResponse> reply, Refuse refuse)
    {
        var member = _state.Members.GetValueOrDefault(request.MemberId);
        var twin = request.InstanceId is null ? null : _state.FindInstance(request.InstanceId);
        if (member is null && twin is null && _state.Members.Count >= ProtocolLimits.MembersPerGroup)
        {
            refuse(ErrorCode.LimitReached, $"the group has {_state.Members.Count} members, and no room for more");
            return;
        }

        if (member is not null && member.InstanceId != request.InstanceId)
        {
            refuse(ErrorCode.InvalidRequest, $"member {request.MemberId} joined with another instance id before");
            return;
        }

        var name = $"{request.MemberName} at {session.Remote}";
        if (member is null)
        {
            Enter(request, name, twin);
            member = _state.Members[request.MemberId];
        }

        member.Session = session;
        Hear(member, stuckForMs: 0);
        reply(new JoinGroupResponse
        {
            GroupId = Declaration.GroupId,
            MemberEpoch = member.Epoch,
            HeartbeatIntervalMs = Settings.HeartbeatIntervalMs,
            SessionTimeoutMs = Settings.SessionTimeoutMs,
        });
        Tell(member);
        Reassign();
    }

    public override void Heartbeat(
        GroupHeartbeatRequest request, Action<GroupHeartbeatResponse> reply, Refuse refuse)
    {
        if (!TryFind(request.MemberId, refuse, out var member))
        {
            return;
        }

        if (request.MemberEpoch > member.Epoch)
        {
            refuse(ErrorCode.FencedMember, $"epoch {request.MemberEpoch} of member {member.Id} is none that it was given");
            return;
        }

        Hear(member, request.StuckForMs);
        if (request.MemberEpoch == member.Epoch && member.GivingUpSinceMs is not null
            && Free(member, [.. request.Owned.Select(static one => new LogIdentity(one.TopicId, one.Partition))]))
        {
            Reconcile();
        }

        var isBehind = request.MemberEpoch != member.Epoch;
        reply(new GroupHeartbeatResponse
        {
            MemberEpoch = member.Epoch,
            HasAssignment = isBehind,
            Assigned = isBehind ? _state.AssignmentOf(member) : [],
        });
    }

    public override void Leave(LeaveGroupRequest request, Action<EmptyMessage> reply, Refuse refuse)
    {
        if (!TryFind(request.MemberId, refuse, out var member))
        {
            return;
        }

        Remove(member);
        Reassign();
        reply(new EmptyMessage());
    }

    public override void Commit(CommitOffsetsRequest request, Action<CommitOffsetsResponse> reply, Refuse refuse)
    {
        if (TryFind(request.MemberId, refuse, out var member))
        {
            StreamCommits.Commit(Context, _state, member, request, reply);
        }
    }

    public override void OnSessionClosed(IGroupSession session)
    {
        foreach (var member in _state.Members.Values.Where(member => member.Session == session))
        {
            member.Session = null;
        }
    }

    public override long? CommittedOf(LogIdentity partition) => _state.Partitions.GetValueOrDefault(partition)?.Committed;

    public override void Reset(IReadOnlyDictionary<LogIdentity, long> targets, Action done)
    {
        foreach (var member in _state.Members.Values.ToList())
        {
            Fence(member, ErrorCode.FencedMember, "the offsets of the group were reset");
        }

        Context.Append(new StreamOffsets
        {
            Offsets = [.. targets.Select(static target => new StreamOffset
            {
                TopicId = target.Key.TopicId, Partition = target.Key.Partition, Offset = target.Value,
            })],
        });
        Reassign();
        done();
    }

    public override void Describe(DescribeGroupResponse description)
    {
        description.GroupEpoch = _state.GroupEpoch;
        description.State = Settings.IsPaused ? GroupState.Paused
            : !HasMembers ? GroupState.Empty
            : _state.Partitions.Values.All(static partition => partition.Owner == partition.Target) ? GroupState.Stable
            : GroupState.Moving;
        description.Members = [.. _state.Members.Values.OrderBy(static member => member.JoinedAtMs).Select(DescribeMember)];
        description.Partitions =
        [
            .. Topics.SelectMany(topic => Enumerable.Range(0, topic.Partitions).Select(index => (topic, index))).Select(one =>
            {
                var partition = _state.Partitions.GetValueOrDefault(new LogIdentity(one.topic.TopicId, one.index));
                return new GroupPartitionDescription
                {
                    TopicId = one.topic.TopicId,
                    Topic = one.topic.Name,
                    Partition = one.index,
                    Committed = partition?.Committed ?? -1,
                    Owner = partition?.Owner?.Id ?? Guid.Empty,
                };
            }),
        ];
    }

    public override void End(ErrorCode code, string text)
    {
        foreach (var member in _state.Members.Values)
        {
            EndSession(member.Session, code, text);
        }
    }

    protected override void OnDeclared()
    {
        _state.Topics.Follow(Context, Declaration, Topics);
        foreach (var topic in Topics)
        {
            _state.Grow(topic);
        }

        if (!_isActive)
        {
            BeginToAct();
        }

        FindStarts();
        Reassign();
    }

    /// <summary>
    /// What the members were told last is not known: it may have been to give up what they may keep now. So everybody gets a
    /// new epoch, in which most find what they have.
    /// </summary>
    private void BeginToAct()
    {
        _isActive = true;
        foreach (var member in _state.Members.Values)
        {
            Hear(member, stuckForMs: 0);
            Context.Append(StreamState.ToRecord(member, NextEpoch(member)));
        }

        foreach (var partition in _state.Partitions.Values)
        {
            partition.ToldTo = partition.Owner;
        }
    }

    private static void EndSession(IGroupSession? session, ErrorCode code, string text) =>
        session?.Push(new GroupSessionEndedPush { SessionId = session.SessionId, Error = ErrorMessage.Create(code, text) });

    private int NextEpoch(StreamMember? member) =>
        Context.Options.Omits(OmittedGroupRules.MemberEpochsThrough) ? (member?.Epoch ?? 0) + 1 : _state.GroupEpoch + 1;

    private void Hear(StreamMember member, long stuckForMs)
    {
        member.HeardAtMs = Context.ListeningMs;
        member.StuckForMs = stuckForMs;
    }

    private bool TryFind(Guid memberId, Refuse refuse, out StreamMember member)
    {
        if (_state.Members.TryGetValue(memberId, out var found))
        {
            member = found;
            return true;
        }

        member = null!;
        refuse(
            ErrorCode.UnknownMember,
            $"group '{Declaration.Name}' has no member {memberId}: it left, was silent for {Settings.SessionTimeoutMs} ms, or was fenced");
        return false;
    }

    private string? FindFault(StreamMember member)
    {
        var silent = Context.ListeningMs - member.HeardAtMs;
        if (silent > Settings.SessionTimeoutMs)
        {
            return $"it was silent for {silent} ms";
        }

        return member.GivingUpSinceMs is { } since && Context.NowMs - since > Settings.RebalanceTimeoutMs
            ? $"it did not give up partitions within {Settings.RebalanceTimeoutMs} ms"
            : Settings.FenceStuckAfterMs is { } limit && member.StuckForMs + silent > limit && member.StuckForMs > 0
                ? $"its oldest record is being handled for more than {limit} ms"
                : null;
    }

    /// <summary>A new member, or one that takes the place of one with its instance id, and all that it has.</summary>
    private void Enter(JoinGroupRequest request, string name, StreamMember? twin)
    {
        var owned = _state.Partitions.Values.Where(partition => twin is not null && partition.Owner == twin).ToList();
        if (twin is not null)
        {
            Fence(twin, ErrorCode.FencedInstance, $"another member joined as instance '{twin.InstanceId}'");
        }

        Context.Append(new StreamMemberRecord
        {
            MemberId = request.MemberId,
            InstanceId = request.InstanceId,
            Name = name.Length <= ProtocolLimits.ShortStringBytes / 4 ? name : name[..(ProtocolLimits.ShortStringBytes / 4)],
            MemberEpoch = NextEpoch(null),
            JoinedAtMs = Context.WallClockMs,
        });
        if (owned.Count > 0)
        {
            Own(owned.Select(partition => (partition, request.MemberId)), isNewEpoch: true);
        }
    }

    private void Fence(StreamMember member, ErrorCode code, string reason)
    {
        CoordinationEvents.Fenced(Context.Logger, Declaration.Name, member.Name, reason);
        var session = member.Session;
        Remove(member);
        Context.WhenCommitted(() => EndSession(session, code, $"member {member.Id} was fenced: {reason}"));
    }

    private void Remove(StreamMember member) => Context.Append(new StreamMemberLeft { MemberId = member.Id });

    /// <summary>Decides anew who is to own what.</summary>
    private void Reassign()
    {
        var eligible = _state.Partitions.Values.Where(static partition => partition.Committed is not null).ToList();
        StickyAssignor.Assign(eligible, Settings.IsPaused ? [] : [.. _state.Members.Values]);
        Reconcile();
    }

    /// <summary>Gives what is free to whom it is meant for, and tells everybody whose assignment changed by it.</summary>
    private void Reconcile()
    {
        var granted = _state.Partitions.Values.Where(static partition => partition.Owner is null && partition.Target is not null)
            .Select(static partition => (partition, partition.Target!.Id)).ToList();
        if (granted.Count > 0)
        {
            Own(granted, isNewEpoch: true);
        }

        var changed = new HashSet<StreamMember>();
        var givingUp = new HashSet<StreamMember>();
        foreach (var partition in _state.Partitions.Values)
        {
            var holder = partition.IsGranted ? partition.Owner : null;
            if (partition.ToldTo != holder)
            {
                changed.Add(partition.ToldTo ?? holder!);
                changed.Add(holder ?? partition.ToldTo!);
                partition.ToldTo = holder;
            }

            if (partition.Owner is not null && holder is null)
            {
                givingUp.Add(partition.Owner);
            }
        }

        foreach (var member in changed.Where(member => _state.Members.ContainsKey(member.Id)))
        {
            Context.Append(StreamState.ToRecord(member, NextEpoch(member)));
            Tell(member);
        }

        foreach (var member in _state.Members.Values)
        {
            member.GivingUpSinceMs = givingUp.Contains(member) ? member.GivingUpSinceMs ?? Context.NowMs : null;
        }
    }

    /// <summary>What a member was to give up and does not hold any more is nobody's.</summary>
    private bool Free(StreamMember member, HashSet<LogIdentity> holds)
    {
        var freed = _state.Partitions.Values
            .Where(partition => partition.Owner == member && partition.Target != member && !holds.Contains(partition.Identity))
            .Select(static partition => (partition, Guid.Empty)).ToList();
        if (freed.Count > 0)
        {
            Own(freed, isNewEpoch: false);
        }

        return freed.Count > 0;
    }

    private void Own(IEnumerable<(StreamPartition Partition, Guid Owner)> owners, bool isNewEpoch)
    {
        var epoch = _state.GroupEpoch + (isNewEpoch ? 1 : 0);
        foreach (var chunk in owners.Chunk(StreamRecords.MaxPartitions))
        {
            Context.Append(new StreamOwners
            {
                GroupEpoch = epoch,
                Owners = [.. chunk.Select(one => StreamState.ToOwner(one.Partition, one.Owner, isNewEpoch ? epoch : one.Partition.AssignmentEpoch))],
            });
        }
    }

    private void Tell(StreamMember member)
    {
        if (member.Session is not { } session)
        {
            return;
        }

        var push = new GroupAssignmentPush
        {
            SessionId = session.SessionId, MemberEpoch = member.Epoch, Assigned = _state.AssignmentOf(member),
        };
        Context.WhenCommitted(() => session.Push(push));
    }

    /// <summary>Looks for where partitions start that the group has no place in yet: nobody gets them before.</summary>
    private void FindStarts()
    {
        foreach (var partition in _state.Partitions.Values.Where(static partition => partition.Committed is null))
        {
            _state.Topics.FindStart(Context, Declaration, partition.Identity, answer =>
            {
                if (_state.Partitions.ContainsKey(partition.Identity))
                {
                    partition.KnownEnd = answer.HighWatermark;
                    Context.Append(new StreamOffsets { Offsets = [StreamState.ToOffset(partition.Identity, answer.Offset)] });
                    Reassign();
                }
            });
        }
    }

    private MemberDescription DescribeMember(StreamMember member)
    {
        var silent = Context.ListeningMs - member.HeardAtMs;
        var stuck = member.StuckForMs > 0 ? member.StuckForMs + silent : 0;
        return new MemberDescription
        {
            MemberId = member.Id,
            InstanceId = member.InstanceId,
            Name = member.Name,
            MemberEpoch = member.Epoch,
            JoinedAtMs = member.JoinedAtMs,
            SilentForMs = silent,
            StuckForMs = stuck,
            IsStuck = stuck > Settings.StuckAfterMs,
            Partitions =
            [
                .. _state.Partitions.Values.Where(partition => partition.Owner == member).Select(static partition => new PartitionKey
                {
                    TopicId = partition.Identity.TopicId, Partition = partition.Identity.Partition,
                }),
            ],
        };
    }
}

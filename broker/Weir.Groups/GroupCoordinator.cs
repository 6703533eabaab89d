using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Groups;

/// <summary>
/// Coordinates the groups of one partition of the groups' log, on the broker that leads it. It reads the log, acts, and
/// answers once what it decided is committed: so whatever anybody was told, the next coordinator knows.
/// </summary>
/// <remarks>
/// A state machine without I/O; one thread or step at a time. Everything happens in turns: the records of a turn are one
/// batch. It is made for one leadership and thrown away with it.
/// </remarks>
public sealed class GroupCoordinator
{
    private const int MaxBatchBytes = 512 * 1024;
    private readonly IGroupLog _log;
    private readonly IGroupHost _host;
    private readonly int _partition;
    private readonly int _partitions;
    private readonly Dictionary<Guid, GroupSlot> _slots = [];
    private readonly Dictionary<string, GroupSlot> _byName = new(StringComparer.Ordinal);
    private readonly EffectQueue _effects = new();
    private readonly List<byte[]> _appended = [];
    private readonly Queue<List<byte[]>> _unwritten = new();
    private readonly LinkedList<Refuse> _unanswered = new();
    private readonly SnapshotRound _snapshots;
    private readonly ListeningClock _listening = new();
    private bool _hasActivated;
    private bool _isEnded;
    private int _depth;

    /// <summary>Creates a coordinator; <see cref="Load"/> what the log has, then <see cref="Activate"/>.</summary>
    /// <param name="partition">Which partition of the groups' log.</param>
    /// <param name="partitions">How many it has.</param>
    /// <param name="image">
    /// The metadata, at least as new as what made this broker the leader: groups that it does not know were deleted.
    /// </param>
    /// <param name="log">The partition's log.</param>
    /// <param name="host">Reads, clock.</param>
    /// <param name="options">Sizes.</param>
    public GroupCoordinator(
        int partition, int partitions, MetadataImage image, IGroupLog log, IGroupHost host, CoordinatorOptions options)
    {
        _partition = partition;
        _partitions = partitions;
        _log = log;
        _host = host;
        Options = options;
        _snapshots = new SnapshotRound(options.SnapshotBytes);
        Image = image;
        AddGroups();
    }

    /// <summary>Sizes.</summary>
    internal CoordinatorOptions Options { get; }

    /// <summary>As <see cref="IGroupContext.ListeningMs"/>.</summary>
    internal long ListeningMs => _listening.NowMs;

    /// <summary>The metadata that it goes by.</summary>
    internal MetadataImage Image { get; private set; }

    /// <summary>Whether the log takes no records now, so that nothing can be decided.</summary>
    public bool IsBlocked => _unwritten.Count > 0;

    /// <summary>Groups that it coordinates.</summary>
    public int GroupCount => _slots.Count;

    /// <summary>Effects that wait for a commit.</summary>
    public int WaitingEffects => _effects.Count;

    /// <summary>Applies a record value of the log, in the log's order, before <see cref="Activate"/>.</summary>
    /// <exception cref="ProtocolException">It is damaged, or of a newer version.</exception>
    public void Load(ReadOnlyMemory<byte> value)
    {
        var (groupId, record) = GroupRecordCodec.Decode(value);
        if (_slots.TryGetValue(groupId, out var slot))
        {
            slot.Replay(record);
        }
    }

    /// <summary>Everything that the log has is loaded: begins to act.</summary>
    /// <exception cref="ProtocolException">The log contradicts itself.</exception>
    public void Activate() => Run(() =>
    {
        _hasActivated = true;
        foreach (var slot in _slots.Values)
        {
            slot.InsistIsWhole();
        }

        foreach (var slot in _slots.Values.Where(static slot => slot.IsInSnapshot))
        {
            // The end of the snapshot was lost with the last coordinator: records that follow would be taken for its rest.
            _snapshots.Write(slot.Group, Append);
        }

        foreach (var slot in _slots.Values)
        {
            Declare(slot);
        }
    });

    /// <summary>Follows the metadata.</summary>
    public void Apply(MetadataImage image) => Run(() =>
    {
        if (image.NextOffset <= Image.NextOffset)
        {
            return;
        }

        Image = image;
        foreach (var slot in _slots.Values.Where(slot => image.FindGroup(slot.Group.Declaration.GroupId) is null).ToList())
        {
            var gone = slot.Group.Declaration;
            _slots.Remove(gone.GroupId);
            _byName.Remove(gone.Name);
            Append(gone.GroupId, new GroupForgotten());
            slot.Group.End(ErrorCode.UnknownGroup, $"group '{gone.Name}' was deleted");
        }

        AddGroups();
        foreach (var slot in _slots.Values)
        {
            Declare(slot);
        }
    });

    /// <summary>Does what is due.</summary>
    public void Tick() => Run(() =>
    {
        _listening.Tick(_host.NowMs);
        if (IsBlocked)
        {
            return;
        }

        foreach (var slot in _slots.Values)
        {
            slot.Group.Tick();
        }

        if (_snapshots.Continue(_slots.Values.Select(static slot => slot.Group), _log.EndOffset, Append) is { } before)
        {
            WhenCommitted(() => _log.DeleteBefore(before));
        }
    });

    /// <summary>Everything in the log below an offset is committed.</summary>
    public void OnCommitted(long offset) => Run(() => _effects.Committed(offset));

    /// <summary>A turn: whatever it appends is one batch, and effects whose time has come happen at its end.</summary>
    public void Run(Action turn)
    {
        if (_isEnded)
        {
            return;
        }

        _depth++;
        try
        {
            turn();
        }
        finally
        {
            _depth--;
        }

        if (_depth == 0)
        {
            Flush();
            RunEffects();
        }
    }

    /// <summary>
    /// This broker leads the log no more, or stops: sessions end, and nothing that waits will happen. Whoever has no answer yet
    /// is told, and cannot know whether it was done.
    /// </summary>
    public void End(ErrorCode code, string text)
    {
        foreach (var slot in _slots.Values)
        {
            slot.Group.End(code, text);
        }

        _isEnded = true;
        foreach (var refuse in _unanswered)
        {
            refuse(code, text);
        }

        _unanswered.Clear();
    }

    /// <summary>A connection is gone.</summary>
    public void OnSessionClosed(IGroupSession session) => Run(() =>
    {
        foreach (var slot in _slots.Values)
        {
            slot.Group.OnSessionClosed(session);
        }
    });

    /// <summary>A member enters.</summary>
    public void Receive(JoinGroupRequest request, IGroupSession session, Action<JoinGroupResponse> reply, Refuse refuse) =>
        Serve(FindByName(request.Group), request.Group, reply, refuse, (group, held, no) =>
        {
            if (group.Declaration.Mode != request.Mode)
            {
                no(ErrorCode.WrongGroupMode, $"group '{request.Group}' is a {group.Declaration.Mode} group, not a {request.Mode} one");
                return;
            }

            group.Join(request, session, held, no);
        });

    /// <summary>A member lives.</summary>
    public void Receive(GroupHeartbeatRequest request, Action<GroupHeartbeatResponse> reply, Refuse refuse) =>
        Serve(Find(request.GroupId), request.GroupId, reply, refuse, (group, held, no) => group.Heartbeat(request, held, no));

    /// <summary>A member leaves.</summary>
    public void Receive(LeaveGroupRequest request, Action<EmptyMessage> reply, Refuse refuse) =>
        Serve(Find(request.GroupId), request.GroupId, reply, refuse, (group, held, no) => group.Leave(request, held, no));

    /// <summary>Commits offsets.</summary>
    public void Receive(CommitOffsetsRequest request, Action<CommitOffsetsResponse> reply, Refuse refuse) =>
        Serve(Find(request.GroupId), request.GroupId, reply, refuse, (group, held, no) => group.Commit(request, held, no));

    /// <summary>Settles records.</summary>
    public void Receive(SettleRequest request, Action<SettleResponse> reply, Refuse refuse) =>
        Serve(Find(request.GroupId), request.GroupId, reply, refuse, (group, held, no) =>
        {
            if (Array.Find(request.Settlements, static one => one.LastOffset < one.FirstOffset) is { } wrong)
            {
                no(ErrorCode.InvalidRequest, $"a settlement from {wrong.FirstOffset} ends at {wrong.LastOffset}");
                return;
            }

            group.Settle(request, held, no);
        });

    /// <summary>Describes a group, with its lag.</summary>
    public void Receive(DescribeGroupRequest request, Action<DescribeGroupResponse> reply, Refuse refuse) =>
        Serve(FindByName(request.Name), request.Name, reply, refuse, (group, held, _) => GroupLag.Describe(group, _host, held));

    /// <summary>Moves offsets.</summary>
    public void Receive(ResetGroupRequest request, Action<ResetGroupResponse> reply, Refuse refuse) =>
        Serve(FindByName(request.Name), request.Name, reply, refuse, (group, held, no) => new GroupReset(group, _host, request, held, no).Begin());

    internal void Append(Guid groupId, IGroupRecord record)
    {
        if (_appended.Count == 0)
        {
            _effects.Appending();
        }

        var value = GroupRecordCodec.Encode(groupId, record);
        _snapshots.Count(value.Length);
        _appended.Add(value);
        if (record is not (SnapshotStarted or SnapshotEnded or GroupForgotten) && _slots.TryGetValue(groupId, out var slot)
            && !_snapshots.IsWriting)
        {
            slot.Group.Replay(record);
        }
    }

    internal void WhenCommitted(Action effect)
    {
        if (_effects.IsSettled || Options.Omits(OmittedGroupRules.EffectsAfterCommit))
        {
            effect();
        }
        else
        {
            _effects.Add(effect);
        }
    }

    private void Append(Group group, IGroupRecord record) => Append(group.Declaration.GroupId, record);

    private void Serve<TResponse>(
        GroupSlot? slot, object name, Action<TResponse> reply, Refuse refuse, Action<Group, Action<TResponse>, Refuse> serve)
    {
        if (_isEnded || !_hasActivated || IsBlocked)
        {
            refuse(
                _isEnded ? ErrorCode.NotCoordinator : ErrorCode.CoordinatorNotReady,
                _isEnded ? "this broker does not coordinate the group any more" : "the groups' log cannot be read or written yet");
            return;
        }

        if (slot is null)
        {
            refuse(ErrorCode.UnknownGroup, $"group '{name}' does not exist");
            return;
        }

        var pending = _unanswered.AddLast(refuse);
        Run(() => serve(
            slot.Group,
            response => WhenCommitted(() =>
            {
                _unanswered.Remove(pending);
                reply(response);
            }),
            (code, text) => WhenCommitted(() =>
            {
                _unanswered.Remove(pending);
                refuse(code, text);
            })));
    }

    private void AddGroups()
    {
        foreach (var image in Image.Groups.Where(group => group.StatePartition(_partitions) == _partition))
        {
            if (!_slots.ContainsKey(image.GroupId))
            {
                var slot = new GroupSlot(this, _host, image);
                _slots.Add(image.GroupId, slot);
                _byName[image.Name] = slot;
            }
        }
    }

    private void Declare(GroupSlot slot)
    {
        if (_hasActivated && Image.FindGroup(slot.Group.Declaration.GroupId) is { } image)
        {
            var topics = Image.Topics.Where(topic => image.Consumes(topic.Name)).OrderBy(static topic => topic.Name, StringComparer.Ordinal)
                .Select(static topic => new GroupTopic(topic.TopicId, topic.Name, topic.Partitions.Length, topic.CreatedAtMs)).ToList();
            if (!slot.IsDeclared || !ReferenceEquals(image, slot.Group.Declaration) || !topics.SequenceEqual(slot.Group.Topics))
            {
                slot.IsDeclared = true;
                slot.Group.Declare(image, topics);
            }
        }
    }

    private GroupSlot? Find(Guid groupId) => _slots.GetValueOrDefault(groupId);

    private GroupSlot? FindByName(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Hands the turn's records to the log: one batch, or several where they are many.</summary>
    private void Flush()
    {
        if (_appended.Count > 0)
        {
            _unwritten.Enqueue([.. _appended]);
            _appended.Clear();
        }

        while (_unwritten.TryPeek(out var records))
        {
            var end = WriteAll(records);
            if (end < 0)
            {
                return;
            }

            _unwritten.Dequeue();
            if (_unwritten.Count == 0)
            {
                _effects.Written(end);
            }
        }
    }

    private long WriteAll(List<byte[]> records)
    {
        long end = -1;
        while (records.Count > 0)
        {
            var count = 0;
            long bytes = 0;
            while (count < records.Count && (count == 0 || bytes + records[count].Length <= MaxBatchBytes))
            {
                bytes += records[count++].Length;
            }

            end = _log.Append(records.GetRange(0, count));
            if (end < 0)
            {
                return end;
            }

            records.RemoveRange(0, count);
        }

        return end;
    }

    private void RunEffects()
    {
        while (!_isEnded && _effects.TryTake(out var effect))
        {
            _depth++;
            try
            {
                effect();
            }
            finally
            {
                _depth--;
            }

            Flush();
        }
    }
}

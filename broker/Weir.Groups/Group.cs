using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>
/// One group at its coordinator: a state machine without I/O, made by <see cref="GroupCoordinator"/> and called in its turns
/// alone. What must outlive the coordinator changes only in <see cref="Replay"/>, by records that were appended.
/// </summary>
/// <param name="declaration">How it is declared.</param>
/// <param name="context">Log, reads, clock.</param>
internal abstract class Group(GroupImage declaration, IGroupContext context)
{
    /// <summary>How it is declared now.</summary>
    public GroupImage Declaration { get; private set; } = declaration;

    /// <summary>The topics that it consumes now, by name.</summary>
    public IReadOnlyList<GroupTopic> Topics { get; private set; } = [];

    protected IGroupContext Context { get; } = context;

    protected GroupSettings Settings => Declaration.Settings;

    /// <summary>Applies a record, from the log or as it is appended.</summary>
    public abstract void Replay(IGroupRecord record);

    /// <summary>Records from which <see cref="Replay"/> makes the present state, each well below a megabyte.</summary>
    public abstract IEnumerable<IGroupRecord> ToSnapshot();

    /// <summary>
    /// Takes a changed declaration or changed topics; the first call comes when the state is read and the group may act.
    /// </summary>
    public void Declare(GroupImage image, IReadOnlyList<GroupTopic> topics)
    {
        Declaration = image;
        Topics = topics;
        OnDeclared();
    }

    /// <summary>Does what is due by the clock. Cheap when nothing is.</summary>
    public abstract void Tick();

    /// <summary>A member enters, or comes back on another connection.</summary>
    public abstract void Join(
        JoinGroupRequest request, IGroupSession session, Action<JoinGroupResponse> reply, Refuse refuse);

    /// <summary>A member lives.</summary>
    public abstract void Heartbeat(GroupHeartbeatRequest request, Action<GroupHeartbeatResponse> reply, Refuse refuse);

    /// <summary>A member leaves.</summary>
    public abstract void Leave(LeaveGroupRequest request, Action<EmptyMessage> reply, Refuse refuse);

    /// <summary>A connection is gone. Its member may come back before its session times out.</summary>
    public abstract void OnSessionClosed(IGroupSession session);

    /// <summary>Commits offsets.</summary>
    public virtual void Commit(CommitOffsetsRequest request, Action<CommitOffsetsResponse> reply, Refuse refuse) =>
        refuse(ErrorCode.WrongGroupMode, $"group '{Declaration.Name}' is a {Declaration.Mode} group: its records are settled one by one");

    /// <summary>Settles records.</summary>
    public virtual void Settle(SettleRequest request, Action<SettleResponse> reply, Refuse refuse) =>
        refuse(ErrorCode.WrongGroupMode, $"group '{Declaration.Name}' is a {Declaration.Mode} group: it commits offsets");

    /// <summary>Everything below is done; null if that is not known yet.</summary>
    public abstract long? CommittedOf(LogIdentity partition);

    /// <summary>Records above <see cref="CommittedOf"/> that are done.</summary>
    public virtual long SettledAbove(LogIdentity partition) => 0;

    /// <summary>Moves offsets to where a reset wants them. Members that there are were not asked: they are fenced.</summary>
    /// <param name="targets">New offsets, within what is kept.</param>
    /// <param name="done">Called once it is decided; the caller waits for the commit.</param>
    public abstract void Reset(IReadOnlyDictionary<LogIdentity, long> targets, Action done);

    /// <summary>Whether there are members: a reset without force is refused then.</summary>
    public abstract bool HasMembers { get; }

    /// <summary>Fills in state, epoch, members and partitions; the lag is filled in by others, from Committed.</summary>
    public abstract void Describe(DescribeGroupResponse description);

    /// <summary>Ends all sessions: the group was deleted, or is coordinated elsewhere. The last call.</summary>
    public abstract void End(ErrorCode code, string text);

    /// <summary><see cref="Declaration"/> or <see cref="Topics"/> changed.</summary>
    protected abstract void OnDeclared();
}

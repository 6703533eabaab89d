using Weir.Metadata.Control;
using Xunit;

namespace Weir.Metadata.Tests;

public sealed class BrokerSessionsTests
{
    private const int Broker = 1;
    private readonly BrokerSessions _sessions = new(new ControllerOptions { SessionTimeoutMs = 1000, LostSessionMs = 300 });
    private long _nowMs = 5000;

    public BrokerSessionsTests()
    {
        _sessions.Tick(_nowMs);
        _sessions.Renew(Broker);
    }

    [Fact]
    public void Broker_that_is_silent_for_its_timeout_is_dead()
    {
        Listen(980);
        Assert.True(_sessions.IsAlive(Broker));
        Listen(20);
        Assert.False(_sessions.IsAlive(Broker));
    }

    [Fact]
    public void Broker_that_is_heard_of_lives_on()
    {
        for (var beat = 0; beat < 10; beat++)
        {
            Listen(900);
            _sessions.Renew(Broker);
        }

        Assert.True(_sessions.IsAlive(Broker));
    }

    [Fact]
    public void Lost_connections_shorten_its_time_and_never_prolong_it()
    {
        _sessions.OnLost(Broker);
        Listen(200);
        _sessions.OnLost(Broker);
        Listen(100);
        Assert.False(_sessions.IsAlive(Broker));
    }

    /// <summary>Its heartbeats wait to be read: a controller that was starved, or paused, fenced every broker first.</summary>
    [Fact]
    public void Time_in_which_the_controller_stood_still_is_no_silence_of_a_broker()
    {
        _nowMs += 60_000;
        _sessions.Tick(_nowMs);
        Assert.True(_sessions.IsAlive(Broker));
        Listen(1000);
        Assert.False(_sessions.IsAlive(Broker));
    }

    private void Listen(int ms)
    {
        for (var passed = 0; passed < ms; passed += 20)
        {
            _sessions.Tick(_nowMs += 20);
        }
    }
}

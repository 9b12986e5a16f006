// A recording of it is demo.jfr.gz (OpenJDK 17, gzip -9): javac Demo.java && java
// -XX:StartFlightRecording=settings=demo.jfc,filename=demo.jfr -cp . Demo
import java.util.ArrayList;
import java.util.List;

/** Burns, allocates, waits for a lock and parks, so that a recording has an event of each kind. */
public class Demo {
  static volatile double sum;
  static final Object lock = new Object();
  static final List<byte[]> kept = new ArrayList<>();

  static void burnMost(long until) {
    while (System.nanoTime() < until) for (int i = 0; i < 100000; i++) sum += Math.sqrt(i);
  }

  static void allocate() {
    for (int i = 0; i < 400; i++) {
      kept.add(new byte[2000]);
      if (i % 40 == 0) kept.add(new byte[3 << 20]);
      if (kept.size() > 100) kept.clear();
    }
  }

  static void holdLock(long ms) throws InterruptedException {
    synchronized (lock) { Thread.sleep(ms); }
  }

  static void waitForLock() { synchronized (lock) { sum++; } }

  public static void main(String[] args) throws Exception {
    long end = System.nanoTime() + 1500000000L;
    while (System.nanoTime() < end) {
      burnMost(System.nanoTime() + 200000000L);
      allocate();
      Thread holder = new Thread(() -> { try { holdLock(60); } catch (InterruptedException e) { } }, "holder");
      holder.start();
      Thread.sleep(20);
      waitForLock();
      java.util.concurrent.locks.LockSupport.parkNanos(40000000L);
      holder.join();
    }
  }
}
